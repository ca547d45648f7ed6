#include "train/schedule.h"

#include <gtest/gtest.h>

namespace walsh {
namespace {

TEST(schedule, warms_up_then_decays) {
  const Schedule cosine = Schedule::make("cosine", 2.0, 100, 0.1);
  EXPECT_EQ(cosine.warmup_steps, 10u);
  EXPECT_DOUBLE_EQ(cosine.rate(0), 0.2);
  EXPECT_DOUBLE_EQ(cosine.rate(9), 2.0);
  EXPECT_DOUBLE_EQ(cosine.rate(10), 2.0);
  EXPECT_DOUBLE_EQ(cosine.rate(55), 1.0);
  EXPECT_GT(cosine.rate(99), 0.0);
  const Schedule linear = Schedule::make("linear", 1.0, 10, 2);
  EXPECT_EQ(linear.warmup_steps, 2u);
  EXPECT_DOUBLE_EQ(linear.rate(6), 0.5);
  EXPECT_DOUBLE_EQ(Schedule::make("constant", 3.0, 10, 0).rate(9), 3.0);
}

}  // namespace
}  // namespace walsh

// Measured choices as text.
#include "vk/tuned.h"

#include <gtest/gtest.h>

namespace walsh::vk {
namespace {

TEST(Tuned, TextGivesTheSameChoices) {
  Tuning tuning;
  tuning.lane_by_lane = true;
  tuning.large_tile_results = 1234567890123;
  Tuning again;
  set_tuning(again, to_text(tuning));
  EXPECT_EQ(to_text(again), to_text(tuning));
  EXPECT_TRUE(again.lane_by_lane);
  EXPECT_EQ(again.large_tile_results, 1234567890123u);
}

TEST(Tuned, WhatIsNotNamedStays) {
  Tuning tuning;
  const auto before = tuning.large_tile_results;
  set_tuning(tuning, "lane_by_lane=1");
  EXPECT_TRUE(tuning.lane_by_lane);
  EXPECT_EQ(tuning.large_tile_results, before);
  set_tuning(tuning, "");
  EXPECT_TRUE(tuning.lane_by_lane);
}

TEST(Tuned, RefusesOtherText) {
  for (const char* text : {"lane=1", "lane_by_lane", "lane_by_lane=2", "lane_by_lane=", "lane_by_lane=1,,",
                           "large_tile_results=-1", "large_tile_results=99999999999999999999"}) {
    Tuning tuning;
    EXPECT_THROW(set_tuning(tuning, text), Error) << text;
  }
}

}  // namespace
}  // namespace walsh::vk

// Steps on random weights, and the ways of QWHA that they choose.
#include "train/random_run.h"

#include "tests/support/gpu.h"
#include "tests/support/tiny_model.h"

namespace walsh {
namespace {

struct Tiny {
  ModelConfig config = parse_config(test::tiny_config(), "test");
  WeightFormat format{.dense = DType::bf16, .bits = 4, .group_size = 32};
  RunOptions options;
  Tiny() {
    options.model = "random";
    options.data = "none";
    options.out = "nowhere";
    options.bits = 4;
    options.group_size = 32;
    options.rank = 4;
    options.batch_size = 2;
    options.sequence_length = 16;
    options = resolve(options);
  }
};

TEST(RandomRun, TimesSteps) {
  const Tiny shape;
  for (const bool frozen : {false, true}) {
    RandomRun run(test::device(), shape.config, shape.format, shape.options, frozen, vk::Precision::fp32);
    const StepTimes times = run.time(3, 60);
    EXPECT_GT(times.seconds, 0);
    EXPECT_GE(times.host_share, 0);
    EXPECT_LT(times.host_share, 1);
  }
}

TEST(RandomRun, ChoosesTheWaysThatARunLeavesOpen) {
  Tiny shape;
  const auto choose = [&] {
    return choose_qwha_ways(test::device(), shape.config, shape.format, shape.options, vk::Precision::fp32);
  };
  EXPECT_EQ(choose(), "") << "a deterministic plan is no matter of time";
  EXPECT_TRUE(shape.options.set.empty());
  shape.options.deterministic_plan = false;
  shape.options.set = {{"qwha.product", "weights"}};
  EXPECT_NE(choose().find("qwha.product=weights, qwha.gradient="), std::string::npos);
  EXPECT_EQ(shape.options.set.at("qwha.product"), "weights");
  EXPECT_TRUE(shape.options.set.contains("qwha.gradient"));
  EXPECT_EQ(choose(), "") << "nothing is open any more";
}

}  // namespace
}  // namespace walsh

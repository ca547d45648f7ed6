// Steps on random weights, and the ways of QWHA that they choose.
#include "train/random_run.h"

#include "tests/support/gpu.h"
#include "tests/support/scratch.h"
#include "tests/support/setting.h"
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
  test::ScratchFolder scratch;
  const test::Setting cache("XDG_CACHE_HOME", (scratch / "cache").string());
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
  const std::string chosen = shape.options.set.at("qwha.gradient");
  const auto again = [&] {
    shape.options.set = {{"qwha.product", "weights"}};
    const std::string said = choose();
    EXPECT_TRUE(shape.options.set.at("qwha.gradient") == chosen || !said.starts_with("measured before"));
    return said;
  };
  EXPECT_EQ(again(), "measured before: qwha.product=weights, qwha.gradient=" + chosen);
  shape.options.batch_size = 3;
  EXPECT_TRUE(again().starts_with("measured on one layer")) << "another shape is another question";
}

}  // namespace
}  // namespace walsh

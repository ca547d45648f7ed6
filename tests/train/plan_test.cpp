// What a run will hold, from its configuration alone.
#include "train/plan.h"

#include <gtest/gtest.h>

#include "tests/support/tiny_model.h"

namespace walsh::test {
namespace {

// Few tokens through wide layers: everything but the stored base together is smaller than one layer's matrix,
// so none of that size can be alive between forward and backward.
TEST(plan, holds_no_matrix_beside_the_stored_base) {
  Json json = tiny_config();
  json["hidden_size"] = 1024;
  json["intermediate_size"] = 4096;
  RunOptions options;
  options.model = "model";
  options.data = "data.jsonl";
  options.out = "run";
  options.bits = 2;
  options.group_size = 64;
  options.rank = 1;
  options.batch_size = 1;
  options.sequence_length = 8;
  const WeightFormat base{.dense = DType::bf16, .bits = 2, .group_size = 64};
  const Plan plan = plan_run(parse_config(json, "test"), base, resolve(options));
  EXPECT_GT(plan.weights_bytes, 2u * 3 * 1024 * 4096 / 4);  // two layers' gate, up and down in 2 bits
  EXPECT_GT(plan.trained_parameters, 0u);
  EXPECT_LT(plan.peak_bytes() - plan.weights_bytes, std::uint64_t{1024} * 4096 * 4);
}

}  // namespace
}  // namespace walsh::test

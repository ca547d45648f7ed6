// What a run will hold, from its configuration alone.
#include "train/plan.h"

#include <gtest/gtest.h>

#include "tests/support/paths.h"
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

// Llama-3.1-8B at 4 bits keeps two of 32 layers and the head on the device; the embedding stays on the host.
TEST(plan, offloaded_weights) {
  const ModelConfig config = read_config(source_dir() / "models/Llama-3.1-8B");
  RunOptions o;
  o.bits = 4;
  o.batch_size = 1;
  const WeightFormat format{.dense = DType::bf16, .bits = 4, .group_size = 64};
  const Plan resident = plan_run(config, format, resolve(o));
  o.offload = true;
  const Plan streamed = plan_run(config, format, resolve(o));
  const std::uint64_t table = std::uint64_t{config.vocabulary_size} * config.hidden * 2;
  EXPECT_EQ(resident.host_bytes, 0u);
  EXPECT_NEAR(static_cast<double>(streamed.host_bytes + table), static_cast<double>(resident.weights_bytes),
              1e6);
  EXPECT_NEAR(static_cast<double>(streamed.weights_bytes - table),
              static_cast<double>(streamed.host_bytes - table) * 2 / 32, 1e6);
  EXPECT_EQ(resident.peak_bytes() - resident.weights_bytes, streamed.peak_bytes() - streamed.weights_bytes);
}

// Sizes that the papers give for Llama-2-7B: PEQA's model at 4 bits a channel, 3.77 GB; L4Q's run at one
// sequence of 2048 tokens, 25.4 GB; LR-QAT's fits a 24 GB card at 1024.
TEST(plan, llama_2_7b) {
  const ModelConfig config = read_config(source_dir() / "models/Llama-2-7B");
  const auto plan = [&](const std::string& method, std::uint32_t tokens, int group_size,
                        const std::string& checkpointing, std::map<std::string, std::string> set = {}) {
    RunOptions o;
    o.method = method;
    o.bits = 4;
    o.group_size = group_size;
    o.batch_size = 1;
    o.sequence_length = tokens;
    o.checkpointing = checkpointing;
    o.set = std::move(set);
    const bool own_grid = method != "peqa";
    return plan_run(config, {.dense = DType::bf16, .bits = own_grid ? 0u : 4u, .group_size = group_size},
                    resolve(o));
  };
  EXPECT_NEAR(static_cast<double>(plan("peqa", 1024, -1, "none").weights_bytes), 3.77e9, 0.005e9);
  const Plan lr_qat = plan("lr-qat", 1024, 128, "none", {{"lr-qat.phi", "int"}});
  EXPECT_LT(lr_qat.peak_bytes(), 24e9);
  const Plan kept = plan("l4q", 2048, 128, "none"), again = plan("l4q", 2048, 128, "full");
  EXPECT_LT(again.peak_bytes(), 20e9);
  EXPECT_GT(kept.peak_bytes(), 25e9);
  EXPECT_EQ(again.trained_parameters, 111181824u);  // of rank 4: A and B, and a scale and an offset a group
  EXPECT_EQ(2 * again.step_operations, 3 * kept.step_operations);
}

}  // namespace
}  // namespace walsh::test

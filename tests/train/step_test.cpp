// The recorded step with loss scaling, on weights in fp32: a scale is a power of two, so it rounds nothing.
#include "train/step.h"

#include <cmath>

#include "calibrate/initialise.h"
#include "tests/support/gpu.h"
#include "tests/support/tiny_model.h"

namespace walsh::test {
namespace {

constexpr std::uint32_t tokens = 16;

struct Trained {
  std::vector<StepResult> results;
  std::vector<std::vector<float>> values;
};

// Three steps of LoRA on a dense base; `loss_scale` 0: none.
Trained three_steps(float loss_scale) {
  const auto source = random_model(parse_config(tiny_config(), "test"), {.dense = DType::f32}, 3);
  RunOptions options;
  options.method = "lora";
  options.rank = 2;
  options.alpha = 4;
  Session session(source->config(), source->format(), options, tokens, true);
  start_method(device(), session.method(), nullptr, *source, {});
  session.commit(device(), true);
  session.load(device(), *source);
  PassMemory memory(source->config(), tokens, logit_rows(source->config(), tokens), Pass::training);
  memory.arena.commit(device());
  StepOptions step_options{.max_grad_norm = 0.1f};
  if (loss_scale > 0) step_options.loss_scale = {loss_scale, 0};
  TrainingStep step(device(), session, memory, step_options);
  std::vector<std::uint32_t> ids, positions, begin(tokens, 0), end(tokens, tokens);
  std::vector<std::int32_t> targets;
  for (std::uint32_t t = 0; t < tokens; ++t) {
    ids.push_back(t * 5 % 96);
    positions.push_back(t);
    targets.push_back(t + 1 < tokens ? static_cast<std::int32_t>((t + 1) * 5 % 96) : -1);
  }
  const TokenBatch batch{ids, targets, positions, begin, end};
  Trained trained;
  for (std::uint32_t i = 0; i < 3; ++i) {
    step.submit(i, {&batch, 1}, 1e-2);
    trained.results.push_back(step.result());
  }
  device().wait_idle();
  for (const Tensor& values : session.parameters().values())
    trained.values.push_back(device().download<float>(values));
  return trained;
}

TEST(step, a_loss_scale_changes_no_bit) {
  const Trained plain = three_steps(0), scaled = three_steps(65536);
  ASSERT_EQ(scaled.results.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(scaled.results[i].loss, plain.results[i].loss);
    EXPECT_EQ(scaled.results[i].grad_norm, plain.results[i].grad_norm);
    EXPECT_GT(plain.results[i].grad_norm, 0.1f) << "clipped";
    ASSERT_TRUE(scaled.results[i].loss_scale);
    EXPECT_EQ(scaled.results[i].loss_scale->scale, 65536);
    EXPECT_EQ(scaled.results[i].loss_scale->steps, static_cast<float>(i + 1));
    EXPECT_FALSE(plain.results[i].loss_scale);
  }
  EXPECT_EQ(scaled.values, plain.values);
}

// So large a scale overflows fp32: nothing is learned until it has halved often enough.
TEST(step, an_overflow_changes_the_scale_alone) {
  const Trained overflowed = three_steps(0x1p127f);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_FALSE(std::isfinite(overflowed.results[i].grad_norm));
    EXPECT_EQ(overflowed.results[i].loss, overflowed.results[0].loss);
    EXPECT_EQ(overflowed.results[i].loss_scale->scale, std::ldexp(1.0f, 126 - static_cast<int>(i)));
  }
}

}  // namespace
}  // namespace walsh::test

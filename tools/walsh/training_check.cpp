#include "training_check.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>

#include "base/json.h"
#include "base/philox.h"
#include "calibrate/initialise.h"
#include "reference_model.h"
#include "train/plan.h"
#include "train/session.h"

namespace walsh {
namespace {

constexpr std::uint32_t small_vocabulary = 96, tokens = 48;
constexpr StepOptions step_options{.weight_decay = 0.01f, .max_grad_norm = 1};

// Two layers of grouped heads with norms of their own, and a head beside the embedding.
ModelConfig small_config() {
  return parse_config(Json{{"model_type", "qwen3"},
                           {"vocab_size", small_vocabulary},
                           {"hidden_size", 64},
                           {"intermediate_size", 96},
                           {"num_hidden_layers", 2},
                           {"num_attention_heads", 4},
                           {"num_key_value_heads", 2},
                           {"head_dim", 16},
                           {"max_position_embeddings", 64},
                           {"hidden_act", "silu"},
                           {"rms_norm_eps", 1e-6},
                           {"rope_theta", 10000.0},
                           {"tie_word_embeddings", false}},
                      "walsh doctor");
}

// Two sequences of random tokens.
struct SmallBatch {
  std::vector<std::uint32_t> ids, positions, begin, end;
  std::vector<std::int32_t> targets;

  explicit SmallBatch(std::uint32_t vocabulary) {
    Philox random(7);
    for (std::uint32_t i = 0; i < tokens; ++i) ids.push_back(random.below(vocabulary));
    constexpr std::uint32_t cut = 29;
    for (std::uint32_t i = 0; i < tokens; ++i) {
      const std::uint32_t first = i < cut ? 0 : cut, last = i < cut ? cut : tokens;
      positions.push_back(i - first);
      begin.push_back(first);
      end.push_back(last);
      targets.push_back(i + 1 < last ? static_cast<std::int32_t>(ids[i + 1]) : -1);
    }
  }
  TokenBatch view() const { return {ids, targets, positions, begin, end}; }
};

struct Trained {
  std::vector<float> losses;
  std::vector<std::vector<float>> values;
};

bool same_bits(const Trained& a, const Trained& b) {
  const auto same = [](const std::vector<float>& x, const std::vector<float>& y) {
    return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size() * sizeof(float)) == 0;
  };
  bool all = same(a.losses, b.losses) && a.values.size() == b.values.size();
  for (std::size_t i = 0; all && i < a.values.size(); ++i) all = same(a.values[i], b.values[i]);
  return all;
}

struct Course {
  std::uint32_t steps = 0;
  double learning_rate = 0;
};

Trained train_small(vk::Device& device, const WeightSource& source, const RunOptions& options,
                    const Course& course, const TokenBatch& batch) {
  Session session(source.config(), source.format(), options, tokens, true);
  start_method(device, session.method(), nullptr, source, {});
  session.commit(device, true);
  session.load(device, source);
  PassMemory memory(source.config(), tokens, logit_rows(source.config(), tokens), Pass::training);
  memory.arena.commit(device);
  TrainingStep step(device, session, memory, step_options);
  Trained result;
  for (std::uint32_t i = 0; i < course.steps; ++i) {
    step.submit(i, {&batch, 1}, course.learning_rate);
    result.losses.push_back(step.result().loss);
  }
  device.wait_idle();
  for (const Tensor& values : session.parameters().values())
    result.values.push_back(device.download<float>(values));
  return result;
}

std::unique_ptr<WeightSource> small_model(std::uint32_t bits) {
  return random_model(small_config(), {.dense = DType::f32, .bits = bits, .group_size = bits > 0 ? 32 : -1},
                      11);
}

}  // namespace

std::unique_ptr<WeightSource> open_small_model(const std::filesystem::path& path) {
  constexpr std::uint64_t most = 32'000'000;
  auto model = open_model(path);
  std::uint64_t weights = 0;
  for (const WeightInfo& info : list_weights(model->config()))
    weights += std::accumulate(info.shape.begin(), info.shape.end(), std::uint64_t{1}, std::multiplies<>());
  require(weights <= most,
          "{}: found {} weights, expected at most {}: doctor computes its steps in double on the host too; "
          "models/walsh-tiny has 1.3 million",
          path.string(), weights, most);
  return model;
}

// The tolerance: a loss is a mean of logarithms of a few hundred fp32 operations each, 1e-6; but AdamW
// divides a gradient by its own size, so where a gradient is as small as its rounding a weight moves by up to
// the learning rate in another direction.
TrainingCheck check_training(vk::Device& device, const WeightSource* model) {
  TrainingCheck check;
  check.tolerance = 1e-4;
  check.deterministic = true;
  const auto run = [&](const char* name, const WeightSource& source, const RunOptions& options,
                       const Course& course, std::uint32_t compared) {
    const SmallBatch batch(source.config().vocabulary_size);
    const Trained first = train_small(device, source, options, course, batch.view());
    check.deterministic =
        check.deterministic && same_bits(first, train_small(device, source, options, course, batch.view()));
    ReferenceModel reference(source);
    for (std::uint32_t i = 0; i < compared; ++i) {
      const double expected = reference.step(batch.view(), course.learning_rate, step_options);
      check.steps.push_back({fmt::format("{}, step {}", name, i + 1), first.losses[i], expected});
      const double error = std::abs(first.losses[i] - expected) / expected;
      check.max_error = std::isfinite(error) ? std::max(check.max_error, error) : INFINITY;
    }
    return first.losses;
  };
  RunOptions full;
  full.method = "full";
  run("full", *small_model(0), full, {.steps = 3, .learning_rate = 1e-2}, 3);
  // Adapters train other values than the reference does: the first loss, of the quantised base, is compared.
  RunOptions qwha;
  qwha.rank = 2;
  qwha.group_size = 32;
  qwha.set["qwha.init"] = "zero";
  check.adapter_losses =
      run("qwha on 4 bits", *small_model(4), qwha, {.steps = 100, .learning_rate = 1e-4}, 1);
  for (const float loss : check.adapter_losses)
    if (!std::isfinite(loss)) check.max_error = INFINITY;
  if (model) run("full, the model given", *model, full, {.steps = 2, .learning_rate = 1e-4}, 2);
  check.close = check.max_error <= check.tolerance;
  return check;
}

}  // namespace walsh

// The model as a whole: its gradient, packed sequences, the cache of keys and values, the adapter beside the
// merged weight.
#include "model/llama.h"

#include <gtest/gtest.h>

#include <cmath>

#include "methods/qwha_options.h"
#include "ops/hadamard_reference.h"
#include "tests/support/model_passes.h"
#include "train/generate.h"

namespace walsh::test {
namespace {

std::vector<std::uint32_t> draw_ids(std::uint32_t count, std::uint64_t seed) {
  Philox random(seed, 9);
  std::vector<std::uint32_t> ids;
  for (std::uint32_t i = 0; i < count; ++i) ids.push_back(static_cast<std::uint32_t>(random.uniform() * 96));
  return ids;
}

double largest(const std::vector<float>& values) {
  double most = 0;
  for (const float value : values) most = std::max(most, std::abs(static_cast<double>(value)));
  return most;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double most = a.size() == b.size() ? 0 : INFINITY;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    most = std::max(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return most;
}

// Every architecture with what sets it apart: biases, head norms, sliding windows, grouped KV heads.
struct Variant {
  const char* name;
  Json config;
};
std::vector<Variant> variants() {
  Json mistral = tiny_config("mistral"), qwen3 = tiny_config("qwen3"), llama = tiny_config("llama");
  mistral["sliding_window"] = 5;
  qwen3["tie_word_embeddings"] = false;
  llama["attention_bias"] = true;  // o too
  llama["mlp_bias"] = true;
  return {{"llama with every bias", llama},
          {"mistral, window of 5", mistral},
          {"qwen2, biases", tiny_config("qwen2")},
          {"qwen3, head norms, own head", qwen3}};
}

// Every projection's gradient is checked by itself: along it, the loss must change by its squared norm a unit
// of step. A central difference of fp32 losses: the step moves the loss by about 3e-3 either way, so rounding
// (1e-6 in a mean loss near 5) is below 1e-3 of it and the third-order term of the same order.
TEST(Llama, GradientOfEveryProjectionIsTheSlopeOfTheLoss) {
  for (const Variant& variant : variants()) {
    const LivelySource source(variant.config, 5, 4);
    DeviceModel model(source, 64, 2, 2e-3f);
    const Sequences batch({draw_ids(11, 1), draw_ids(3, 2), draw_ids(9, 3)});
    const auto gradients = model.gradients(batch);
    const auto parameters = model.session().parameters().all();
    ASSERT_EQ(parameters.size(), 14u) << variant.name;
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      double square = 0;
      for (const float g : gradients[p]) square += static_cast<double>(g) * g;
      ASSERT_GT(square, 0) << variant.name << " " << parameters[p].name;
      const double step = 3e-3 / square;
      const std::vector<float> start = read(parameters[p].value);
      const auto loss_at = [&](double direction) {
        std::vector<float> moved = start;
        for (std::size_t i = 0; i < moved.size(); ++i)
          moved[i] = static_cast<float>(moved[i] + direction * step * gradients[p][i]);
        device().upload(parameters[p].value, moved);
        return model.forward(batch).loss;
      };
      const double slope = (loss_at(1) - loss_at(-1)) / (2 * step);
      device().upload(parameters[p].value, start);
      EXPECT_NEAR(slope / square, 1, 5e-3) << variant.name << " " << parameters[p].name;
    }
  }
}

TEST(Llama, GradientsOfTwoPassesAddUp) {
  const LivelySource source(tiny_config(), 5, 4);
  DeviceModel model(source, 64, 2, 2e-3f);
  const Sequences both({draw_ids(8, 1), draw_ids(8, 2)}), first({draw_ids(8, 1)}), second({draw_ids(8, 2)});
  const auto whole = model.gradients(both), a = model.gradients(first), b = model.gradients(second);
  for (std::size_t p = 0; p < whole.size(); ++p) {
    std::vector<float> mean(whole[p].size());
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] = 0.5f * (a[p][i] + b[p][i]);
    EXPECT_LE(largest_difference(whole[p], mean), 1e-4 * largest(mean)) << p;
  }
}

TEST(Llama, PackedSequencesHaveTheLossesOfEachAlone) {
  for (const Variant& variant : variants()) {
    const LivelySource source(variant.config, 6, 4);
    DeviceModel model(source, 64, 2, 2e-3f);
    const std::vector<std::vector<std::uint32_t>> sequences = {draw_ids(13, 1), draw_ids(1, 2),
                                                               draw_ids(7, 3), draw_ids(12, 4)};
    const auto packed = model.forward(Sequences(sequences)).losses;
    std::size_t at = 0;
    for (const auto& sequence : sequences) {
      if (sequence.size() > 1) {
        const auto alone = model.forward(Sequences({sequence})).losses;
        const std::vector<float> part(packed.begin() + static_cast<std::ptrdiff_t>(at),
                                      packed.begin() + static_cast<std::ptrdiff_t>(at + sequence.size()));
        EXPECT_LE(largest_difference(part, alone), 1e-4) << variant.name << " sequence at " << at;
      }
      at += sequence.size();
    }
  }
}

// The logits after every token, from passes over a cache cut as `lengths` says.
std::vector<float> cached_logits(DeviceModel& model, const std::vector<std::uint32_t>& ids,
                                 const std::vector<std::uint32_t>& lengths) {
  const ModelConfig& config = model.session().config();
  vk::Arena arena("test cache");
  const KvCache cache = reserve_cache(arena, config, static_cast<std::uint32_t>(ids.size()) + 3);
  arena.commit(device());
  std::vector<float> all;
  std::uint32_t first = 0;
  for (const std::uint32_t length : lengths) {
    PassMemory memory(config, length, length, Pass::inference);
    memory.arena.commit(device());
    std::vector<std::uint32_t> words(memory.words.shape[0]);
    pack_cached_inputs(words, std::span(ids).subspan(first, length), first, config);
    device().upload(memory.words, words);
    run([&](vk::Recorder& rec) {
      model.session().model().forward(rec, memory.activations, memory.inputs, &cache);
      model.session().model().logits(rec, memory.activations, 0, length);
    });
    const auto part = device().download<float>(memory.activations.logits);
    all.insert(all.end(), part.begin(), part.end());
    first += length;
  }
  return all;
}

TEST(Llama, TheCacheGivesTheLogitsOfAWholeForward) {
  for (const Variant& variant : variants()) {
    const LivelySource source(variant.config, 7, 4);
    DeviceModel model(source, 64, 2, 2e-3f);
    const auto ids = draw_ids(12, 5);
    const auto whole = model.forward(Sequences({ids})).logits;
    const auto cached = cached_logits(model, ids, {7, 1, 1, 2, 1});
    EXPECT_LE(largest_difference(whole, cached), 1e-4 * largest(whole)) << variant.name;
  }
}

TEST(Llama, TheGeneratorIsGreedyOverWholeForwards) {
  const LivelySource source(tiny_config(), 8, 4);
  DeviceModel model(source, 64, 2, 2e-3f);
  Generator generator(device(), model.session(), 24, 4);
  auto ids = draw_ids(6, 6);
  const auto text = generator.run(ids, {.max_tokens = 6, .temperature = 0}, {});
  ASSERT_EQ(text.size(), 6u);
  for (const std::uint32_t id : text) {
    const auto logits = model.forward(Sequences({ids})).logits;
    const auto last = logits.end() - 96;
    EXPECT_EQ(static_cast<std::uint32_t>(std::max_element(last, logits.end()) - last), id);
    ids.push_back(id);
  }
}

TEST(Llama, CoefficientsOfZeroLeaveTheBaseBitForBit) {
  for (const Variant& variant : variants()) {
    const LivelySource source(variant.config, 9, 2);
    DeviceModel base(source), adapted(source, 64, 2, 0.0f);
    const Sequences batch({draw_ids(11, 1), draw_ids(6, 2)});
    EXPECT_EQ(base.forward(batch).logits, adapted.forward(batch).logits) << variant.name;
  }
}

// W_q + κ·F·H_rᵀ in double, rounded to fp32.
class MergedSource final : public DequantizedSource {
 public:
  MergedSource(const WeightSource& base, const std::vector<SparseAdapter>& adapters)
      : DequantizedSource(base), adapters_(adapters) {}

 private:
  std::vector<float> dense(const WeightInfo& weight) const override {
    const auto adapter =
        std::ranges::find(adapters_, weight.name.substr(0, weight.name.rfind('.')), &SparseAdapter::name);
    require(adapter != adapters_.end(), "{} has no adapter", weight.name);
    const QwhaCoefficients& c = adapter->coefficients;
    const std::size_t n = c.columns;
    std::vector<double> delta(c.rows * n, 0.0);
    for (std::uint32_t i = 0; i < c.rows; ++i) {
      for (std::uint32_t k = c.row_ptr[i]; k < c.row_ptr[i + 1]; ++k) delta[i * n + c.col[k]] = c.values[k];
    }
    reference::wht_t(Hadamard(c.columns), delta.data(), c.rows, qwha_kappa(c.rows, c.columns, 4000.0));
    std::vector<float> weights = DequantizedSource::dense(weight);
    for (std::size_t i = 0; i < weights.size(); ++i)
      weights[i] = static_cast<float>(static_cast<double>(weights[i]) + delta[i]);
    return weights;
  }

  const std::vector<SparseAdapter>& adapters_;
};

TEST(Llama, TheAdapterComputesTheMergedWeight) {
  for (const Variant& variant : variants()) {
    const LivelySource source(variant.config, 10, 2);
    DeviceModel lean(source, 64, 3, 2e-3f);
    const MergedSource merged_weights(source, lean.adapters);
    DeviceModel merged(merged_weights);
    const Sequences batch({draw_ids(14, 1), draw_ids(5, 2)});
    const auto a = lean.forward(batch).logits, b = merged.forward(batch).logits;
    EXPECT_LE(largest_difference(a, b), 1e-4 * largest(b)) << variant.name;
    // The adapter is no small correction here.
    DeviceModel base(source);
    EXPECT_GT(largest_difference(a, base.forward(batch).logits), 0.01 * largest(b)) << variant.name;
  }
}

}  // namespace
}  // namespace walsh::test

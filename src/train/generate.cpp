#include "train/generate.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace walsh {

Generator::CachedPass::CachedPass(vk::Device& device, const Session& session, const KvCache& cache,
                                  std::uint32_t tokens)
    : memory(session.config(), tokens, 1, Pass::inference) {
  memory.arena.commit(device);
  vk::Recorder rec(device);
  session.model().forward(rec, memory.activations, memory.inputs, &cache);
  session.model().logits(rec, memory.activations, tokens - 1, 1);
  recording = rec.finish();
}

Generator::Generator(vk::Device& device, const Session& session, std::uint32_t length, std::uint32_t chunk)
    : device_(device),
      session_(session),
      length_(length),
      chunk_(chunk),
      cache_arena_("key-value cache"),
      cache_(reserve_cache(cache_arena_, session.config(), length)) {
  cache_arena_.commit(device);
  vk::Recorder rec(device);
  session.model().prepare(rec);
  prepare_ = rec.finish();
}

std::vector<float> Generator::pass(std::span<const std::uint32_t> ids, std::uint32_t first) {
  const auto tokens = static_cast<std::uint32_t>(ids.size());
  auto& cached = passes_[tokens];
  if (!cached) cached = std::make_unique<CachedPass>(device_, session_, cache_, tokens);
  PassMemory& memory = cached->memory;
  std::vector<std::uint32_t> words(memory.words.shape[0]);
  pack_cached_inputs(words, ids, first, session_.config());
  device_.upload(memory.words, words);
  if (first == 0) device_.submit(*prepare_);
  device_.wait(device_.submit(*cached->recording));
  return device_.download<float>(memory.activations.logits);
}

std::vector<std::uint32_t> Generator::run(std::span<const std::uint32_t> prompt, const SampleOptions& options,
                                          std::span<const std::uint32_t> stop,
                                          const std::function<void(std::uint32_t)>& hear) {
  require(!prompt.empty(), "the prompt has no tokens; give some text");
  require(prompt.size() < length_, "the prompt has {} tokens, the model's context holds {}; shorten it",
          prompt.size(), length_);
  Philox random(options.seed, 1);
  std::vector<float> logits;
  auto at = std::uint32_t{0};
  while (at < prompt.size()) {
    const auto count = std::min<std::uint32_t>(chunk_, static_cast<std::uint32_t>(prompt.size()) - at);
    logits = pass(prompt.subspan(at, count), at);
    at += count;
  }
  std::vector<std::uint32_t> text;
  while (text.size() < options.max_tokens) {
    const std::uint32_t id = sample(logits, options, random);
    if (std::find(stop.begin(), stop.end(), id) != stop.end()) break;
    text.push_back(id);
    if (hear) hear(id);
    if (at + 1 >= length_) break;
    logits = pass({&id, 1}, at++);
  }
  return text;
}

std::uint32_t sample(std::span<const float> logits, const SampleOptions& options, Philox& random) {
  const auto best =
      static_cast<std::uint32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  if (options.temperature <= 0) return best;
  // Candidates by falling logit; equal ones by id, so that a seed gives the same text everywhere.
  std::vector<std::uint32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0u);
  const std::size_t keep =
      options.top_k > 0 ? std::min<std::size_t>(options.top_k, order.size()) : order.size();
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(keep), order.end(),
                    [&](std::uint32_t a, std::uint32_t b) {
                      return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
                    });
  std::vector<double> weights(keep);
  double total = 0;
  for (std::size_t i = 0; i < keep; ++i)
    total += weights[i] =
        std::exp((logits[order[i]] - logits[best]) / static_cast<double>(options.temperature));
  double nucleus = 0;
  std::size_t count = 0;
  while (count < keep && (count == 0 || nucleus < options.top_p * total)) nucleus += weights[count++];
  double draw = random.uniform() * nucleus;
  for (std::size_t i = 0; i < count; ++i) {
    draw -= weights[i];
    if (draw < 0) return order[i];
  }
  return order[count - 1];
}

}  // namespace walsh

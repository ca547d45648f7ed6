// Sampling text: a cache of keys and values, the prompt in chunks, then a replayed one-token pass.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/philox.h"
#include "train/session.h"
#include "vk/recorder.h"

namespace walsh {

struct SampleOptions {
  std::uint32_t max_tokens = 128;
  float temperature = 0.8f;  // 0: greedy
  std::uint32_t top_k = 0;   // 0: all
  float top_p = 1.0f;
  std::uint64_t seed = 0;
};

class Generator {
 public:
  /// `session` is committed and loaded, made for at least `chunk` tokens. `length`: tokens of prompt and text
  /// together.
  Generator(vk::Device& device, const Session& session, std::uint32_t length, std::uint32_t chunk);

  /// The ids sampled after `prompt`, up to and without one of `stop`. `hear` gets each id as it comes.
  std::vector<std::uint32_t> run(std::span<const std::uint32_t> prompt, const SampleOptions& options,
                                 std::span<const std::uint32_t> stop,
                                 const std::function<void(std::uint32_t)>& hear = {});

  /// The logits after a text, from its beginning.
  std::vector<float> logits(std::span<const std::uint32_t> ids) { return pass(ids, 0); }

 private:
  struct CachedPass {
    CachedPass(vk::Device& device, const Session& session, const KvCache& cache, std::uint32_t tokens);
    PassMemory memory;
    std::optional<vk::Recording> recording;
  };
  /// The logits after ids, which stand at positions first, first + 1, ...
  std::vector<float> pass(std::span<const std::uint32_t> ids, std::uint32_t first);

  vk::Device& device_;
  const Session& session_;
  std::uint32_t length_, chunk_;
  vk::Arena cache_arena_;
  KvCache cache_;
  std::optional<vk::Recording> prepare_;
  std::map<std::uint32_t, std::unique_ptr<CachedPass>> passes_;  // by number of tokens
};

/// One id drawn from logits.
std::uint32_t sample(std::span<const float> logits, const SampleOptions& options, Philox& random);

}  // namespace walsh

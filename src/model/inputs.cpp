#include "model/inputs.h"

#include <algorithm>
#include <bit>

#include "base/error.h"

namespace walsh {
namespace {

// The parts in order; each starts at a multiple of an arena's alignment, so that it can be bound by itself.
enum Part : std::uint64_t {
  ids,
  positions,
  targets,
  full_key_begin,
  windowed_key_begin,
  key_end,
  query_begin,
  full_query_end,
  windowed_query_end,
  scale,
  parts
};

std::uint64_t part_words(std::uint32_t tokens) {
  constexpr std::uint64_t unit = vk::Arena::alignment / 4;
  return (tokens + unit - 1) / unit * unit;
}

// The one window of a model's windowed layers; without any, no limit.
std::uint32_t window_of(const ModelConfig& config) {
  std::uint32_t window = 0;
  for (const std::uint32_t layer : config.window) {
    require(layer == 0 || window == 0 || layer == window,
            "config.json: layers with sliding windows of {} and {}; one size is supported", window, layer);
    window = std::max(window, layer);
  }
  return window > 0 ? window : 0xffffffffu;
}

}  // namespace

std::uint64_t input_words(std::uint32_t tokens) { return parts * part_words(tokens); }

Inputs view_inputs(const Tensor& words, std::uint32_t tokens) {
  const auto part = [&](Part index, DType dtype, std::uint64_t count) {
    return Tensor{words.memory.part(index * part_words(tokens) * 4, count * 4), dtype, {count}};
  };
  const auto u32 = [&](Part index) { return part(index, DType::u32, tokens); };
  return {.ids = u32(ids),
          .positions = u32(positions),
          .targets = part(targets, DType::i32, tokens),
          .loss_scale = part(scale, DType::f32, 1),
          .full = {u32(full_key_begin), u32(key_end), u32(query_begin), u32(full_query_end)},
          .windowed = {u32(windowed_key_begin), u32(key_end), u32(query_begin), u32(windowed_query_end)}};
}

void pack_inputs(std::span<std::uint32_t> words, const TokenBatch& batch, const ModelConfig& config,
                 float loss_scale) {
  const auto tokens = static_cast<std::uint32_t>(batch.ids.size());
  require(words.size() == input_words(tokens), "{} words for the inputs of {} tokens", words.size(), tokens);
  const std::uint64_t stride = part_words(tokens);
  const std::uint32_t window = window_of(config);
  for (std::uint32_t t = 0; t < tokens; ++t) {
    const auto put = [&](Part index, std::uint32_t value) { words[index * stride + t] = value; };
    put(ids, batch.ids[t]);
    put(positions, batch.positions[t]);
    put(targets, batch.targets.empty() ? 0xffffffffu : static_cast<std::uint32_t>(batch.targets[t]));
    put(full_key_begin, batch.begin[t]);
    put(windowed_key_begin, t + 1 > window ? std::max(batch.begin[t], t + 1 - window) : batch.begin[t]);
    put(key_end, t + 1);
    put(query_begin, t);
    put(full_query_end, batch.end[t]);
    put(windowed_query_end, window < batch.end[t] - t ? t + window : batch.end[t]);
  }
  words[scale * stride] = std::bit_cast<std::uint32_t>(loss_scale);
}

void pack_cached_inputs(std::span<std::uint32_t> words, std::span<const std::uint32_t> token_ids,
                        std::uint32_t first, const ModelConfig& config) {
  const auto tokens = static_cast<std::uint32_t>(token_ids.size());
  require(words.size() == input_words(tokens), "{} words for the inputs of {} tokens", words.size(), tokens);
  const std::uint64_t stride = part_words(tokens);
  const std::uint32_t window = window_of(config);
  for (std::uint32_t t = 0; t < tokens; ++t) {
    const std::uint32_t at = first + t;
    words[ids * stride + t] = token_ids[t];
    words[positions * stride + t] = at;
    words[full_key_begin * stride + t] = 0;
    words[windowed_key_begin * stride + t] = at + 1 > window ? at + 1 - window : 0;
    words[key_end * stride + t] = at + 1;
  }
}

}  // namespace walsh

// The inputs of a pass as one row of 32-bit words, so that a batch reaches the device in one copy (and, in
// training, through a ring that the recorded step advances by itself).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/activations.h"

namespace walsh {

/// T tokens, sequences one after another. All spans have T elements, but `targets`, which may be empty (all
/// masked).
struct TokenBatch {
  std::span<const std::uint32_t> ids;
  std::span<const std::int32_t> targets;     // −1: masked
  std::span<const std::uint32_t> positions;  // from 0 in every sequence
  std::span<const std::uint32_t> begin;      // index of the first token of this token's sequence
  std::span<const std::uint32_t> end;        // one past its last
};

/// Words of `tokens` tokens' inputs.
std::uint64_t input_words(std::uint32_t tokens);

/// The inputs as views of `words`, u32 [input_words(tokens)].
Inputs view_inputs(const Tensor& words, std::uint32_t tokens);

/// Fills `words` from a batch. `loss_scale` multiplies the gradient of every target's loss.
void pack_inputs(std::span<std::uint32_t> words, const TokenBatch& batch, const ModelConfig& config,
                 float loss_scale);

/// The same for one sequence's tokens [first, first + ids.size()) over a cache of keys and values.
void pack_cached_inputs(std::span<std::uint32_t> words, std::span<const std::uint32_t> ids,
                        std::uint32_t first, const ModelConfig& config);

}  // namespace walsh

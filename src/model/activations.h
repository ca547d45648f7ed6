// The tensors of a forward and backward pass over T tokens. Sizes and memory are known before anything runs.
#pragma once

#include <cstdint>
#include <vector>

#include "model/config.h"
#include "ops/attention.h"
#include "tensor/tensor.h"

namespace walsh {

/// What a pass reads: token ids, where they stand, what they see, what they should predict.
struct Inputs {
  Tensor ids;                // u32 [T]
  Tensor positions;          // u32 [T], from 0 in every sequence
  Tensor targets;            // i32 [T], −1: masked
  Tensor loss_scale;         // f32 [1], 1 / number of targets in the optimizer step
  AttentionRanges full;      // causal within a sequence
  AttentionRanges windowed;  // the same within the sliding window; equal to `full` in models without one
};

/// What the backward of one layer needs of its forward.
struct LayerActivations {
  Tensor attention_rstd;  // [T]
  Tensor q_raw, k_raw;    // [T, H, D], [T, KV, D] before the head norms; empty without them
  Tensor q_rstd, k_rstd;  // [T·H], [T·KV]
  Tensor q, k, v;         // after the rotation
  Tensor attended, lse;   // [T, H, D], [T, H]
  Tensor middle;          // [T, C], the residual stream between attention and MLP
  Tensor mlp_rstd;        // [T]
  Tensor gate, up;        // [T, I]
};

/// What any layer's pass may overwrite.
struct Scratch {
  Tensor attention_input, mlp_input;  // [T, C], normed
  Tensor projected;                   // [T, C]
  Tensor activated;                   // [T, I]
  // backward only
  Tensor d_residual, d_normed;  // [T, C]
  Tensor dq, dk, dv, d_attended, delta;
  Tensor d_gate, d_up, d_activated;  // [T, I]
};

enum class Pass : std::uint8_t {
  inference,    // layers share their activations
  training,     // every layer keeps its own for the backward
  checkpointed  // every layer keeps its input alone; its backward computes the rest a second time
};

class Activations {
 public:
  /// Reserves everything for `tokens` tokens in `arena`; `logit_rows`: rows of logits computed at a time.
  Activations(vk::Arena& arena, const ModelConfig& config, std::uint32_t tokens, std::uint32_t logit_rows,
              Pass pass);

  std::uint32_t tokens() const { return tokens_; }
  std::uint32_t logit_rows() const { return logit_rows_; }
  const LayerActivations& layer(std::size_t index) const { return layers_[index % layers_.size()]; }
  /// Whether a layer's pass overwrites what the one before it left.
  bool shares_layers() const { return layers_.size() == 1; }

  std::vector<Tensor>
      residual;  // [T, C]: the embedding, then every layer's output (two in turn at inference)
  Scratch scratch;
  Tensor final_normed, final_rstd;  // [T, C], [T]
  Tensor logits;                    // [logit_rows, V]
  Tensor losses;                    // [T], nats a target

 private:
  std::uint32_t tokens_;
  std::uint32_t logit_rows_;
  std::vector<LayerActivations> layers_;
};

/// Rows of logits whose chunk stays near 32 MiB: never tokens × vocabulary in full.
std::uint32_t logit_rows(const ModelConfig& config, std::uint32_t tokens);

}  // namespace walsh

#include "model/activations.h"

#include <algorithm>

namespace walsh {

std::uint32_t logit_rows(const ModelConfig& config, std::uint32_t tokens) {
  constexpr std::uint64_t chunk_bytes = std::uint64_t{32} << 20;
  const std::uint64_t rows = chunk_bytes / (std::uint64_t{4} * config.vocabulary_size) / 64 * 64;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(rows, std::min(tokens, 64u), tokens));
}

Activations::Activations(vk::Arena& arena, const ModelConfig& config, std::uint32_t tokens,
                         std::uint32_t rows, Pass pass)
    : tokens_(tokens), logit_rows_(rows) {
  const std::uint64_t T = tokens, C = config.hidden, I = config.intermediate;
  const std::uint64_t H = config.heads, KV = config.kv_heads, D = config.head_dim;
  const auto f32 = [&](const Shape& shape) { return reserve(arena, DType::f32, shape); };
  const bool training = pass != Pass::inference, keeps = pass == Pass::training;

  for (std::uint64_t i = 0; i < (training ? config.layers + 1 : 2); ++i) residual.push_back(f32({T, C}));
  for (std::uint64_t i = 0; i < (keeps ? config.layers : 1); ++i) {
    LayerActivations a;
    a.attention_rstd = f32({T});
    if (config.qk_norm) {
      a.q_raw = f32({T, H, D});
      a.k_raw = f32({T, KV, D});
      a.q_rstd = f32({T * H});
      a.k_rstd = f32({T * KV});
    }
    a.q = f32({T, H, D});
    a.k = f32({T, KV, D});
    a.v = f32({T, KV, D});
    a.attended = f32({T, H, D});
    a.lse = f32({T, H});
    a.middle = f32({T, C});
    a.mlp_rstd = f32({T});
    a.gate = f32({T, I});
    a.up = f32({T, I});
    layers_.push_back(a);
  }

  Scratch& s = scratch;
  s.attention_input = f32({T, C});
  s.mlp_input = f32({T, C});
  s.projected = f32({T, C});
  s.activated = f32({T, I});
  if (training) {
    for (Tensor* tensor : {&s.d_residual, &s.d_normed}) *tensor = f32({T, C});
    s.dq = f32({T, H, D});
    for (Tensor* tensor : {&s.dk, &s.dv}) *tensor = f32({T, KV, D});
    s.d_attended = f32({T, H, D});
    s.delta = f32({T, H});
    for (Tensor* tensor : {&s.d_gate, &s.d_up, &s.d_activated}) *tensor = f32({T, I});
  }
  final_normed = f32({T, C});
  final_rstd = f32({T});
  logits = f32({rows, config.vocabulary_size});
  losses = f32({T});
}

}  // namespace walsh

#include "model/layer.h"

#include <array>
#include <cmath>

#include "ops/rmsnorm.h"
#include "ops/rope.h"
#include "ops/scatter.h"
#include "ops/swiglu.h"

namespace walsh {
namespace {

float scale(const ModelConfig& config) { return 1.0f / std::sqrt(static_cast<float>(config.head_dim)); }

const AttentionRanges& ranges(const LayerWeights& layer, const Inputs& in) {
  return layer.windowed ? in.windowed : in.full;
}

// dx or dx += it, and the norm's own gradient where it is trained; dx may be dy.
void norm_backward(Recorder& rec, const Tensor& dx, const Tensor& dy, const Tensor& x, const Tensor& rstd,
                   const Weight& weight, bool accumulate = false) {
  if (weight.gradient) rmsnorm_backward_weight(rec, weight.gradient, dy, x, rstd);
  rmsnorm_backward(rec, dx, dy, x, rstd, weight, accumulate);
}

}  // namespace

void layer_forward(Recorder& rec, const LayerContext& model, const LayerWeights& w, LayerEnd end,
                   const LayerInput& input, const LayerActivations& a, const Scratch& s, const Inputs& in,
                   const LayerCache* cache) {
  const ModelConfig& c = *model.config;
  const Tensor& x = input.x;
  const std::uint64_t T = x.shape[0];
  const Shape q_flat{T, c.query_width()}, kv_flat{T, c.kv_width()};
  const bool norms = c.qk_norm;

  // x → middle = x + attention(norm(x))
  const Tensor projected[] = {(norms ? a.q_raw : a.q).view(q_flat), (norms ? a.k_raw : a.k).view(kv_flat),
                              a.v.view(kv_flat)};
  const Tensor& stream = input.middle ? input.middle : x;
  w.qkv->forward_of_norm(
      rec, projected,
      {s.attention_input, a.attention_rstd, stream, w.attention_norm, c.rms_eps, input.projected, x});
  if (norms) {
    rmsnorm_forward(rec, a.q, a.q_rstd, a.q_raw, w.q_norm, c.rms_eps);
    rmsnorm_forward(rec, a.k, a.k_rstd, a.k_raw, w.k_norm, c.rms_eps);
  }
  rope_forward(rec, std::array{a.q, a.k}, in.positions, model.inverse_frequencies);
  if (cache) {
    scatter_rows(rec, cache->k, a.k, in.positions);
    scatter_rows(rec, cache->v, a.v, in.positions);
  }
  attention_forward(rec, a.attended, a.lse, a.q, cache ? cache->k : a.k, cache ? cache->v : a.v,
                    ranges(w, in), scale(c));
  w.o->forward(rec, std::array{s.projected}, a.attended.view(q_flat));

  // middle → middle + projected, projected = mlp(norm(middle))
  w.gate_up->forward_of_norm(rec, std::array{a.gate, a.up},
                             {s.mlp_input, a.mlp_rstd, x, w.mlp_norm, c.rms_eps, s.projected, a.middle});
  if (end == LayerEnd::activations) return;
  swiglu_forward(rec, s.activated, a.gate, a.up);
  w.down->forward(rec, std::array{s.projected}, s.activated);
}

void layer_backward(Recorder& rec, const LayerContext& model, const LayerWeights& w, const Tensor& x,
                    const LayerActivations& a, const Scratch& s, const Inputs& in, bool input_gradient) {
  const ModelConfig& c = *model.config;
  const std::uint64_t T = x.shape[0];
  const Shape q_flat{T, c.query_width()}, kv_flat{T, c.kv_width()};

  // y = middle + down(swiglu(gate_up(norm(middle)))); what a forward can recompute cheaply was not kept
  swiglu_forward(rec, s.activated, a.gate, a.up);
  w.down->backward(rec, s.d_activated, std::array{s.d_residual}, s.activated);
  swiglu_backward(rec, s.d_gate, s.d_up, s.d_activated, a.gate, a.up);
  w.gate_up->backward_of_norm(rec, s.d_normed, std::array{s.d_gate, s.d_up},
                              {s.mlp_input, a.mlp_rstd, a.middle, w.mlp_norm, c.rms_eps});
  norm_backward(rec, s.d_residual, s.d_normed, a.middle, a.mlp_rstd, w.mlp_norm, true);

  // middle = x + o(attention(qkv(norm(x))))
  w.o->backward(rec, s.d_attended.view(q_flat), std::array{s.d_residual}, a.attended.view(q_flat));
  attention_backward(rec, s.dq, s.dk, s.dv, s.delta, s.d_attended, a.attended, a.lse, a.q, a.k, a.v,
                     ranges(w, in), scale(c));
  rope_backward(rec, std::array{s.dq, s.dk}, in.positions, model.inverse_frequencies);
  if (c.qk_norm) {
    norm_backward(rec, s.dq, s.dq, a.q_raw, a.q_rstd, w.q_norm);
    norm_backward(rec, s.dk, s.dk, a.k_raw, a.k_rstd, w.k_norm);
  }
  const Tensor d_normed = input_gradient ? s.d_normed : Tensor{};
  w.qkv->backward_of_norm(rec, d_normed,
                          std::array{s.dq.view(q_flat), s.dk.view(kv_flat), s.dv.view(kv_flat)},
                          {s.attention_input, a.attention_rstd, x, w.attention_norm, c.rms_eps});
  if (!input_gradient) return;
  norm_backward(rec, s.d_residual, s.d_normed, x, a.attention_rstd, w.attention_norm, true);
}

}  // namespace walsh

#include "reference_model.h"

#include <cmath>
#include <utility>

#include "base/error.h"
#include "ops/adamw_reference.h"
#include "ops/attention_reference.h"
#include "ops/cross_entropy_reference.h"
#include "ops/embedding_reference.h"
#include "ops/global_norm_reference.h"
#include "ops/matmul_reference.h"
#include "ops/quant_matmul_reference.h"
#include "ops/rmsnorm_reference.h"
#include "ops/rope_reference.h"
#include "ops/swiglu_reference.h"

namespace walsh {
namespace {

using Values = std::vector<double>;

Values plus(Values a, const Values& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

// A query sees the keys of its sequence up to itself.
reference::KeyRanges causal_ranges(const TokenBatch& batch) {
  reference::KeyRanges ranges{{batch.begin.begin(), batch.begin.end()}, {}};
  for (std::uint32_t t = 0; t < batch.ids.size(); ++t) ranges.end.push_back(t + 1);
  return ranges;
}

reference::AttentionShape attention_shape(const ModelConfig& c, const TokenBatch& batch) {
  return {batch.ids.size(), batch.ids.size(), c.heads, c.kv_heads, c.head_dim};
}

double attention_scale(const ModelConfig& c) { return 1 / std::sqrt(static_cast<double>(c.head_dim)); }

}  // namespace

// What a layer's backward needs of its forward.
struct ReferenceModel::Layer {
  std::string attention, mlp;  // prefixes of names
  std::string attention_norm, mlp_norm;
  Values x, attention_input, attention_rstd, q_raw, k_raw, q_rstd, k_rstd, q, k, v, attended, lse;
  Values middle, mlp_input, mlp_rstd, gate, up, activated;

  explicit Layer(std::uint32_t index)
      : attention(layer_prefix(index) + "self_attn."),
        mlp(layer_prefix(index) + "mlp."),
        attention_norm(layer_prefix(index) + "input_layernorm.weight"),
        mlp_norm(layer_prefix(index) + "post_attention_layernorm.weight") {}
};

ReferenceModel::ReferenceModel(const WeightSource& source)
    : config_(source.config()), frequencies_(inverse_frequencies(config_)) {
  for (const WeightInfo& info : list_weights(config_)) {
    require(info.kind != WeightKind::bias, "reference model: {} is a bias, which it does not compute",
            info.name);
    const bool vector = info.shape.size() == 1;
    Weight weight;
    weight.rows = vector ? 1 : info.shape[0];
    weight.columns = info.shape.back();
    if (info.kind == WeightKind::linear && source.format().bits > 0) {
      weight.values = reference::dequantize<double>(
          source.quantized(module_of(info), static_cast<std::uint32_t>(weight.rows),
                           static_cast<std::uint32_t>(weight.columns)));
    } else {
      const auto values = read_floats(source, info);
      weight.values.assign(values.begin(), values.end());
    }
    weight.gradient = weight.m = weight.v = Values(weight.values.size());
    weights_.emplace(info.name, std::move(weight));
  }
}

Values ReferenceModel::project(const std::string& name, const Values& x) const {
  const Weight& w = weights_.at(name);
  Values y;
  reference::matmul_forward(y, x, w.values, {}, w.rows, w.columns);
  return y;
}

Values ReferenceModel::project_backward(const std::string& name, const Values& dy, const Values& x) {
  Weight& w = weights_.at(name);
  Values dx, unused;
  reference::matmul_backward(dx, w.gradient, unused, dy, x, w.values, w.rows, w.columns);
  return dx;
}

Values ReferenceModel::norm(const std::string& name, const Values& x, Values& rstd) const {
  Values y;
  reference::rmsnorm_forward(y, rstd, x, weights_.at(name).values, config_.rms_eps);
  return y;
}

Values ReferenceModel::norm_backward(const std::string& name, const Values& dy, const Values& x,
                                     const Values& rstd) {
  Weight& w = weights_.at(name);
  Values dx;
  reference::rmsnorm_backward(dx, w.gradient, dy, x, rstd, w.values);
  return dx;
}

Values ReferenceModel::layer_forward(Layer& l, const Values& x, const TokenBatch& batch) const {
  const ModelConfig& c = config_;
  const std::vector<std::uint32_t> positions(batch.positions.begin(), batch.positions.end());
  l.x = x;
  l.attention_input = norm(l.attention_norm, x, l.attention_rstd);
  l.q = l.q_raw = project(l.attention + "q_proj.weight", l.attention_input);
  l.k = l.k_raw = project(l.attention + "k_proj.weight", l.attention_input);
  l.v = project(l.attention + "v_proj.weight", l.attention_input);
  if (c.qk_norm) {
    l.q = norm(l.attention + "q_norm.weight", l.q_raw, l.q_rstd);
    l.k = norm(l.attention + "k_norm.weight", l.k_raw, l.k_rstd);
  }
  reference::rope_forward(l.q, c.heads, c.head_dim, positions, frequencies_);
  reference::rope_forward(l.k, c.kv_heads, c.head_dim, positions, frequencies_);
  reference::attention_forward(l.attended, l.lse, attention_shape(c, batch), l.q, l.k, l.v,
                               causal_ranges(batch), attention_scale(c));
  l.middle = plus(project(l.attention + "o_proj.weight", l.attended), x);

  l.mlp_input = norm(l.mlp_norm, l.middle, l.mlp_rstd);
  l.gate = project(l.mlp + "gate_proj.weight", l.mlp_input);
  l.up = project(l.mlp + "up_proj.weight", l.mlp_input);
  reference::swiglu_forward(l.activated, l.gate, l.up);
  return plus(project(l.mlp + "down_proj.weight", l.activated), l.middle);
}

Values ReferenceModel::layer_backward(const Layer& l, const Values& dy, const TokenBatch& batch) {
  const ModelConfig& c = config_;
  const std::vector<std::uint32_t> positions(batch.positions.begin(), batch.positions.end());
  Values d_gate, d_up;
  reference::swiglu_backward(d_gate, d_up, project_backward(l.mlp + "down_proj.weight", dy, l.activated),
                             l.gate, l.up);
  const Values d_mlp = plus(project_backward(l.mlp + "gate_proj.weight", d_gate, l.mlp_input),
                            project_backward(l.mlp + "up_proj.weight", d_up, l.mlp_input));
  const Values d_middle = plus(norm_backward(l.mlp_norm, d_mlp, l.middle, l.mlp_rstd), dy);

  const Values d_attended = project_backward(l.attention + "o_proj.weight", d_middle, l.attended);
  Values dq, dk, dv;
  reference::attention_backward(dq, dk, dv, attention_shape(c, batch), d_attended, l.attended, l.lse, l.q,
                                l.k, l.v, causal_ranges(batch), attention_scale(c));
  reference::rope_backward(dq, c.heads, c.head_dim, positions, frequencies_);
  reference::rope_backward(dk, c.kv_heads, c.head_dim, positions, frequencies_);
  if (c.qk_norm) {
    dq = norm_backward(l.attention + "q_norm.weight", dq, l.q_raw, l.q_rstd);
    dk = norm_backward(l.attention + "k_norm.weight", dk, l.k_raw, l.k_rstd);
  }
  const Values d_input = plus(plus(project_backward(l.attention + "q_proj.weight", dq, l.attention_input),
                                   project_backward(l.attention + "k_proj.weight", dk, l.attention_input)),
                              project_backward(l.attention + "v_proj.weight", dv, l.attention_input));
  return plus(norm_backward(l.attention_norm, d_input, l.x, l.attention_rstd), d_middle);
}

double ReferenceModel::step(const TokenBatch& batch, double learning_rate, const StepOptions& options) {
  const std::string embedding = "model.embed_tokens.weight",
                    head = config_.tied ? embedding : "lm_head.weight", final_norm = "model.norm.weight";
  const std::vector<std::uint32_t> ids(batch.ids.begin(), batch.ids.end());
  const std::vector<std::int32_t> targets(batch.targets.begin(), batch.targets.end());
  double predicted = 0;
  for (const std::int32_t target : targets) predicted += target >= 0;

  Values x;
  reference::embedding_forward(x, ids, weights_.at(embedding).values, config_.hidden);
  std::vector<Layer> layers;
  for (std::uint32_t i = 0; i < config_.layers; ++i) x = layer_forward(layers.emplace_back(i), x, batch);
  Values rstd, losses, d_logits;
  const Values normed = norm(final_norm, x, rstd);
  reference::cross_entropy(losses, d_logits, project(head, normed), targets, 1 / predicted);

  Values dx = norm_backward(final_norm, project_backward(head, d_logits, normed), x, rstd);
  for (std::uint32_t i = config_.layers; i-- > 0;) dx = layer_backward(layers[i], dx, batch);
  reference::embedding_backward(weights_.at(embedding).gradient, dx, ids, config_.hidden);
  update(learning_rate, options);

  double sum = 0;
  for (const double loss : losses) sum += loss;
  return sum / predicted;
}

void ReferenceModel::update(double learning_rate, const StepOptions& options) {
  std::vector<Values> gradients;
  for (const auto& [name, w] : weights_) gradients.push_back(w.gradient);
  const double clip = reference::global_norm(gradients, static_cast<double>(options.max_grad_norm))[1];
  ++steps_;
  for (auto& [name, w] : weights_) {
    reference::adamw(w.values, w.gradient, w.m, w.v, steps_, learning_rate, clip,
                     AdamwOptions{.beta1 = TrainingStep::beta1,
                                  .beta2 = TrainingStep::beta2,
                                  .epsilon = TrainingStep::epsilon,
                                  .weight_decay = options.weight_decay});
    w.gradient.assign(w.gradient.size(), 0.0);
  }
}

}  // namespace walsh

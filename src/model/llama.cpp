#include "model/llama.h"

#include <algorithm>

#include "ops/cross_entropy.h"
#include "ops/embedding.h"
#include "ops/matmul.h"
#include "ops/rmsnorm.h"

namespace walsh {

void Llama::forward(Recorder& rec, Activations& a, const Inputs& in, const KvCache* cache) const {
  const std::size_t buffers = a.residual.size();
  fetch(rec, 0);
  embedding_forward(rec, a.residual[0], in.ids, embedding_);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (i + 1 < layers_.size()) fetch(rec, i + 1);
    const auto scope = rec.scope("forward");
    LayerInput input{a.residual[i % buffers]};
    if (i > 0) input = {input.x, a.layer(i - 1).middle, a.scratch.projected};
    layer_forward(rec, context(), layers_[i], LayerEnd::projected, input, a.layer(i), a.scratch, in,
                  cache ? &(*cache)[i] : nullptr);
  }
  rmsnorm_forward(rec, a.final_normed, a.final_rstd, a.layer(layers_.size() - 1).middle, final_norm_,
                  config_.rms_eps, a.scratch.projected, a.residual[layers_.size() % buffers]);
}

void Llama::loss(Recorder& rec, Activations& a, const Inputs& in, bool gradient) const {
  for (std::uint32_t first = 0; first < a.tokens(); first += a.logit_rows()) {
    const auto scope = rec.scope("loss");
    const std::uint32_t count = std::min(a.logit_rows(), a.tokens() - first);
    const Tensor chunk = a.logits.rows(0, count);
    logits(rec, a, first, count);
    cross_entropy(rec, a.losses.rows(first, count), chunk, in.targets.rows(first, count), in.loss_scale,
                  gradient);
    if (!gradient) continue;
    matmul_backward(rec, a.scratch.d_normed.rows(first, count), chunk, head_);
    if (head_.gradient) matmul_backward_weight(rec, head_.gradient, chunk, a.final_normed.rows(first, count));
  }
  if (!gradient) return;
  if (final_norm_.gradient)
    rmsnorm_backward_weight(rec, final_norm_.gradient, a.scratch.d_normed, a.residual[layers_.size()],
                            a.final_rstd);
  rmsnorm_backward(rec, a.scratch.d_residual, a.scratch.d_normed, a.residual[layers_.size()], a.final_rstd,
                   final_norm_);
}

void Llama::logits(Recorder& rec, const Activations& a, std::uint32_t first, std::uint32_t count) const {
  matmul_forward(rec, a.logits.rows(0, count), a.final_normed.rows(first, count), head_);
}

void Llama::backward(Recorder& rec, Activations& a, const Inputs& in) const {
  for (std::size_t i = layers_.size(); i-- > 0;) {
    // The forward pass left the last two layers on the device.
    if (i > 0 && i + 1 < layers_.size()) fetch(rec, i - 1);
    if (a.shares_layers() && i + 1 < layers_.size()) {
      const auto scope = rec.scope("forward again");
      layer_forward(rec, context(), layers_[i], LayerEnd::activations, {a.residual[i]}, a.layer(i), a.scratch,
                    in);
    }
    const auto scope = rec.scope("backward");
    // Where the embedding is frozen, nothing wants the gradient of the first layer's input.
    layer_backward(rec, context(), layers_[i], a.residual[i], a.layer(i), a.scratch, in,
                   i > 0 || embedding_.gradient);
  }
  if (embedding_.gradient) embedding_backward(rec, embedding_.gradient, a.scratch.d_residual, in.ids);
}

void Llama::prepare(Recorder& rec) const {
  for (Linear* linear : linears()) linear->prepare(rec);
}

Llama::Llama(ModelConfig config, const WeightFormat& format, vk::Arena& arena, Method& method,
             LayerStream* stream)
    : config_(std::move(config)), stream_(stream) {
  const auto weight = [&](const char* name, DType dtype, const Shape& shape) {
    return method.reserve_weight(arena, name, dtype, shape);
  };
  const Shape table{config_.vocabulary_size, config_.hidden};
  // A table that is the head too is read whole.
  vk::Arena& rows = stream && !config_.tied ? stream->on_host() : arena;
  embedding_ = method.reserve_weight(rows, "model.embed_tokens.weight", format.dense, table);
  head_ = config_.tied ? embedding_ : weight("lm_head.weight", format.dense, table);
  final_norm_ = weight("model.norm.weight", DType::f32, {config_.hidden});
  inverse_frequencies_ = reserve(arena, DType::f32, {config_.head_dim / 2});
  for (std::uint32_t i = 0; i < config_.layers; ++i)
    layers_.push_back(reserve_layer(stream ? stream->next_layer(i) : arena, config_, format, i, method));
  if (stream) stream->reserve_host(config_.layers);
}

void Llama::load(vk::Device& device, const WeightSource& source) {
  load_dense(device, embedding_, source, "model.embed_tokens.weight");
  load_dense(device, final_norm_, source, "model.norm.weight");
  if (!config_.tied) load_dense(device, head_, source, "lm_head.weight");
  device.upload(inverse_frequencies_, inverse_frequencies(config_));
  for (std::uint32_t i = 0; i < config_.layers; ++i) {
    load_layer(device, layers_[i], source, i);
    if (stream_) stream_->store(device, i);
  }
}

void Llama::fetch(Recorder& rec, std::uint32_t index) const {
  if (stream_) stream_->fetch(rec, index);
}

std::vector<Linear*> Llama::linears() const {
  std::vector<Linear*> all;
  for (const LayerWeights& layer : layers_) {
    for (const auto* linear : {&layer.qkv, &layer.o, &layer.gate_up, &layer.down})
      all.push_back(linear->get());
  }
  return all;
}

KvCache reserve_cache(vk::Arena& arena, const ModelConfig& config, std::uint32_t length) {
  const Shape shape{length, config.kv_heads, config.head_dim};
  KvCache cache;
  for (std::uint32_t i = 0; i < config.layers; ++i) {
    cache.push_back({reserve(arena, DType::f32, shape), reserve(arena, DType::f32, shape)});
  }
  return cache;
}

}  // namespace walsh

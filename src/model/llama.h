// A LLaMA-family transformer: weights on the device, the forward pass and its mirror, the backward pass.
//   Touvron et al. 2023 (arXiv 2302.13971): pre-norm, RMSNorm, SwiGLU, rotary embedding; Mistral, Qwen2
//   (biases of q, k, v) and Qwen3 (norms of q and k) differ by what the configuration says.
// The layers' own passes are in layer.cpp. Passes are recorded, not run: see vk/recorder.h.
#pragma once

#include <vector>

#include "model/layer.h"
#include "model/layer_stream.h"

namespace walsh {

/// One sequence's past, a layer each.
using KvCache = std::vector<LayerCache>;
KvCache reserve_cache(vk::Arena& arena, const ModelConfig& config, std::uint32_t length);

class Llama {
 public:
  /// Reserves the weights in `arena`; `method` makes the linear layers. With `stream` the layers' weights are
  /// there instead, and every pass copies them to the device as it needs them.
  Llama(ModelConfig config, const WeightFormat& format, vk::Arena& arena, Method& method,
        LayerStream* stream = nullptr);

  /// Fills the weights, once the arena is committed.
  void load(vk::Device& device, const WeightSource& source);

  const ModelConfig& config() const { return config_; }
  /// Every linear layer in the order of the forward pass.
  std::vector<Linear*> linears() const;
  /// Brings layer `index`'s weights to the device, where they are not there always.
  void fetch(Recorder& rec, std::uint32_t index) const;

  /// Once an optimizer step, before its passes.
  void prepare(Recorder& rec) const;
  /// a.final_normed = the normed output of the last layer.
  void forward(Recorder& rec, Activations& a, const Inputs& in, const KvCache* cache = nullptr) const;
  /// a.losses of in.targets, in chunks of rows; with `gradient` also a.scratch.d_residual, the gradient of
  /// the last layer's output, scaled by in.loss_scale.
  void loss(Recorder& rec, Activations& a, const Inputs& in, bool gradient) const;
  /// After forward and loss with gradient in the same recording: adds to the gradients of all parameters.
  void backward(Recorder& rec, Activations& a, const Inputs& in) const;
  /// a.logits = the logits of rows [first, first + count), count <= a.logit_rows().
  void logits(Recorder& rec, const Activations& a, std::uint32_t first, std::uint32_t count) const;

 private:
  LayerContext context() const { return {&config_, inverse_frequencies_}; }

  ModelConfig config_;
  Weight embedding_;            // [V, C]
  Weight head_;                 // [V, C]; the embedding where tied
  Weight final_norm_;           // [C]
  Tensor inverse_frequencies_;  // [D/2]
  std::vector<LayerWeights> layers_;
  LayerStream* stream_;
};

}  // namespace walsh

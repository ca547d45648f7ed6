// One transformer layer: its weights, its forward pass and, mirrored, its backward pass.
#pragma once

#include <memory>
#include <vector>

#include "methods/method.h"
#include "model/activations.h"
#include "model/config.h"
#include "model/weights.h"
#include "vk/memory.h"

namespace walsh {

using vk::Recorder;

struct LayerWeights {
  Weight attention_norm, mlp_norm;  // [C]
  Weight q_norm, k_norm;            // [D]; empty without them
  std::unique_ptr<Linear> qkv, o, gate_up, down;
  bool windowed = false;  // its attention sees a sliding window
};

/// What all layers share.
struct LayerContext {
  const ModelConfig* config;
  Tensor inverse_frequencies;  // [D/2], of the rotary embedding
};

/// Keys and values of one sequence's past, f32 [S, KV, D].
struct LayerCache {
  Tensor k, v;
};

/// Reserves layer `index`'s weights in the order of the forward pass; `method` makes the linear layers.
LayerWeights reserve_layer(vk::Arena& arena, const ModelConfig& config, const WeightFormat& format,
                           std::uint32_t index, Method& method);

/// Fills them, once the arena is committed.
void load_layer(vk::Device& device, const LayerWeights& layer, const WeightSource& source,
                std::uint32_t index);

/// What Linear::use_reordered wants of `linears` for passes of up to `tokens` tokens: one tensor for all.
void reserve_reordered(vk::Arena& arena, std::span<Linear* const> linears, std::uint32_t tokens);

/// Copies a dense weight to the device in the tensor's own type.
void load_dense(vk::Device& device, const Tensor& tensor, const WeightSource& source,
                const std::string& name);

/// The input of a layer, [T, C]: what x holds, or, where the last layer left its output in two parts, their
/// sum, which the layer's first norm writes to x.
struct LayerInput {
  Tensor x;
  Tensor middle{}, projected{};
};

/// How far a layer's forward goes.
enum class LayerEnd : std::uint8_t {
  activations,  // what its backward needs
  projected,    // its output is a.middle + s.projected
};

/// The forward pass. With a cache, keys and values go to the rows in.positions of it and the queries' ranges
/// are over its rows.
void layer_forward(Recorder& rec, const LayerContext& model, const LayerWeights& w, LayerEnd end,
                   const LayerInput& input, const LayerActivations& a, const Scratch& s, const Inputs& in,
                   const LayerCache* cache = nullptr);

/// s.d_residual holds the gradient of the layer's output and, with `input_gradient`, becomes that of its
/// input x. Parameter gradients += theirs.
void layer_backward(Recorder& rec, const LayerContext& model, const LayerWeights& w, const Tensor& x,
                    const LayerActivations& a, const Scratch& s, const Inputs& in, bool input_gradient);

}  // namespace walsh

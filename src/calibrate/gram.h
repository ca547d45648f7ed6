// Gram matrices XᵀX of the inputs of a model's linear layers, over calibration sequences, layer by layer:
// only one layer's weights are on the device at a time, so a model larger than its memory can be calibrated.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "model/inputs.h"
#include "model/layer.h"
#include "model/weights.h"
#include "vk/device.h"

namespace walsh {

/// The four distinct inputs of a layer: of q, k and v; of o; of gate and up; of down. Each G = Σ_t x_tᵀx_t,
/// [n, n], in double.
struct LayerGrams {
  std::vector<double> qkv, o, gate_up, down;
  /// The one that belongs to a projection, by the last part of its module's name ("q_proj").
  const std::vector<double>& of(const std::string& module) const;
};

class GramCollector {
 public:
  /// `sequences`: token ids, all of the same length.
  GramCollector(vk::Device& device, const WeightSource& model,
                std::vector<std::vector<std::uint32_t>> sequences);

  /// The Gram matrices of the next layer, from the first on; the hidden states move on to the one after.
  LayerGrams next();

  /// The two halves, for who changes a layer's weights between them: the Gram matrices of the next layer with
  /// the model's own weights, and the hidden states moved on through that layer as `weights` have it.
  LayerGrams collect();
  void advance(const WeightSource& weights);

 private:
  void run(const WeightSource& weights, LayerGrams* grams, bool advance);
  void run_passes(const WeightSource& weights, LayerGrams* grams, bool advance, std::size_t first_sequence,
                  std::size_t passes, std::uint32_t sequences);

  vk::Device& device_;
  const WeightSource& model_;
  std::vector<std::vector<std::uint32_t>> sequences_;
  std::uint32_t length_ = 0;  // tokens of a sequence
  std::uint32_t sequences_a_pass_ = 1;
  std::uint32_t layer_ = 0;
  std::vector<float> states_;  // [sequences, length, C], the residual stream before the next layer
};

}  // namespace walsh

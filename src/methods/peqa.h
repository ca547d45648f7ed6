// PEQA (Kim et al., arXiv 2305.14152): a quantised layer whose codes and zeros stay and whose scales are
// trained,
//   W = s ⊙ (q − z)       y = x·Wᵀ + bias       ds = Σ over a group of (dyᵀx) ⊙ (q − z)
// The forward computes with s rounded to fp16, the type that files hold, and the gradient passes the rounding
// by: what is exported is what was trained. `prepare` writes the rounded scales into the base's own grid.
#pragma once

#include "methods/registry.h"

namespace walsh {

extern const MethodEntry peqa_method;

/// The scales of one projection.
struct PeqaScales {
  std::string name;           // of the module
  Parameter scales;           // s [m, n / group size]
  QuantizedTensor quantized;  // of the base; its grid follows the scales
  QuantizedTensor at_one;     // the same codes and zeros at scale 1, where a channel is one group; else empty
};

class PeqaMethod final : public Method {
 public:
  explicit PeqaMethod(const MethodSetup& setup);

  std::unique_ptr<Linear> make_linear(std::vector<BaseWeight> weights) override;
  void upload(vk::Device& device) override;

  const std::vector<PeqaScales>& adapters() const { return adapters_; }
  /// [T, widest]: a layer's output at scale 1, or dyᵀ [widest, T].
  const Tensor& activations() const { return activations_; }
  /// Rows of a weight's gradient, as many as fit.
  const Tensor& tile() const { return tile_; }

 private:
  void start_projection(const ProjectionStart& projection) override;

  Tensor activations_, tile_;
  std::vector<PeqaScales> adapters_;
};

}  // namespace walsh

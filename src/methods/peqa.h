// PEQA (Kim et al., arXiv 2305.14152): a quantised layer whose codes and zeros stay and whose scales are
// trained,
//   W = s ⊙ (q − z)       y = x·Wᵀ + bias       ds = Σ over a group of (dyᵀx) ⊙ (q − z)
// The forward computes with s rounded to fp16, the type that files hold, and the gradient passes the rounding
// by: what is exported is what was trained. `prepare` writes the rounded scales into the base's own grid.
// With `train_offset` the grid has float offsets, W = s ⊙ q + o, which are trained too: do = Σ over a group
// of dyᵀx.
#pragma once

#include <optional>

#include "methods/registry.h"

namespace walsh {

extern const MethodEntry peqa_method;

struct PeqaOptions {
  bool train_offset = false;  // integer zeros become float offsets, −s·z rounded to fp16
};

/// Sets one option of `--set peqa.KEY=VALUE`; refuses what is not one.
void set_peqa_option(PeqaOptions& options, std::string_view key, std::string_view value);

/// The grid of one projection.
struct PeqaScales {
  std::string name;                 // of the module
  Parameter scales;                 // s [m, n / group size]
  std::optional<Parameter> offset;  // o of the same shape, where it is trained
  QuantizedTensor quantized;        // of the base; its grid follows the scales
  QuantizedTensor at_one;  // the same codes and zeros at scale 1, where a channel is one group; else empty
  std::vector<bool> negative;  // the base's scales below 0
};

class PeqaMethod final : public Method {
 public:
  explicit PeqaMethod(const MethodSetup& setup);

  std::unique_ptr<Linear> make_linear(std::vector<BaseWeight> weights) override;
  void upload(vk::Device& device) override;
  std::vector<std::string> remarks(vk::Device& device) const override;

  const std::vector<PeqaScales>& adapters() const { return adapters_; }
  /// [T, widest]: a layer's output at scale 1, or dyᵀ [widest, T].
  const Tensor& activations() const { return activations_; }
  /// Rows of a weight's gradient, as many as fit.
  const Tensor& tile() const { return tile_; }

 private:
  void start_projection(const ProjectionStart& projection) override;

  PeqaOptions options_;
  Tensor activations_, tile_;
  std::vector<PeqaScales> adapters_;
};

}  // namespace walsh

// L4Q: LoRA inside an LSQ quantiser (Jeon et al., arXiv 2402.04902, ACL 2025):
//   W = s·round(clamp((W0 + α·B·A − b)/s, Qn, Qp)) + b,  y = x·Wᵀ
// W0 stays in 16 bits and frozen; A, B and, a group each, s and b are trained. The quantiser and its
// gradients: ops/fake_quant.h; the passes: low_rank_linear.h. What leaves a run is codes with 16-bit scales
// and offsets, whose values the forward of training already computed.
#pragma once

#include "methods/low_rank_linear.h"
#include "methods/registry.h"
#include "ops/fake_quant.h"
#include "quantize/grid.h"

namespace walsh {

extern const MethodEntry l4q_method;

struct L4qOptions {
  AffineStart init = AffineStart::l4q;
  bool train_offset = true;   // otherwise b = 0, and codes fit formats with integer zeros
  bool lsq_gradient = false;  // gradients of s and b times 1/√(weights of a group · Qp)
  float mask_tol = 1e-5f;     // τ of the clamp's mask, in steps
  std::uint32_t tile_rows = 0;
};

/// Sets one option of `--set l4q.KEY=VALUE`; refuses what is not one.
void set_l4q_option(L4qOptions& options, std::string_view key, std::string_view value);

class L4qMethod final : public LowRankMethod {
 public:
  explicit L4qMethod(const MethodSetup& setup);

  std::unique_ptr<Linear> make_linear(std::vector<BaseWeight> weights) override;
  /// Of a target of this width, as every pass uses it.
  FakeQuantOptions quantiser(std::uint32_t columns) const;

 private:
  L4qMethod(const MethodSetup& setup, const L4qOptions& options);
  void start_projection(const ProjectionStart& projection) override;
  void read_grid(vk::Device& device, const std::string& name, const Target& target,
                 std::span<const float> scale, QuantizedMatrix& out) const override;

  L4qOptions options_;
};

}  // namespace walsh

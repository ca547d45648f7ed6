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

/// A weight [rows, columns] as a run leaves it: w = scale · code + low, scale and low exact in fp16.
struct AffineMatrix {
  std::uint32_t rows = 0, columns = 0, bits = 0, group_size = 0;
  std::vector<std::uint8_t> codes;  // [rows, columns], 0 … 2^bits − 1
  std::vector<float> scale, low;    // [rows, columns / group_size]

  float weight(std::uint32_t row, std::uint32_t column) const {
    const std::size_t i = std::size_t{row} * columns + column, k = i / group_size;
    return scale[k] * static_cast<float>(codes[i]) + low[k];
  }
};

class L4qMethod final : public Method {
 public:
  explicit L4qMethod(const MethodSetup& setup);

  std::unique_ptr<Linear> make_linear(std::vector<BaseWeight> weights) override;
  StartsFrom starts_from() const override { return StartsFrom::original; }

  std::optional<QuantizedMatrix> exported(vk::Device& device, const std::string& module) const override;
  /// The codes of a target as the last pass computed them; every value w of training is reproduced bit for
  /// bit.
  AffineMatrix merged(vk::Device& device, const std::string& name) const;

  /// Of a target of this width, as every pass uses it.
  FakeQuantOptions quantiser(std::uint32_t columns) const;

 private:
  struct Target {
    const LowRankLinear* linear;
    std::size_t index;  // in the linear layer
  };
  void start_projection(const ProjectionStart& projection) override;

  L4qOptions options_;
  TileScratch scratch_;
  std::map<std::string, Target> targets_;
};

}  // namespace walsh

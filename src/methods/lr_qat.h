// LR-QAT: low-rank adapters in the integer domain (Bondarenko et al., arXiv 2406.06385):
//   W = s·clip(round(Phi0 + (α/r)·B·A), Qn, Qp),  y = x·Wᵀ,  Phi0 = φ(W0/s0) frozen
// B, A, in units of the grid, and s, a group each, are trained; W0 itself is not kept. The quantiser and its
// gradients: ops/requantize.h; φ: quantize/phi.h; the passes: low_rank_linear.h. What leaves a run is codes
// and 16-bit scales on a symmetric grid (at 2 bits, or by option, an unsigned one with frozen zeros), without
// adapters.
#pragma once

#include <optional>

#include "methods/low_rank_linear.h"
#include "methods/registry.h"
#include "ops/requantize.h"
#include "quantize/phi.h"
#include "tensor/quantized_matrix.h"

namespace walsh {

extern const MethodEntry lr_qat_method;

struct LrQatOptions {
  PhiStore phi = PhiStore::fixed8;
  double p = 4;  // of the range search; 0: the range of the weights
  std::optional<double>
      scale_rate;  // learning rate of s over that of A and B, 0: s is frozen; else 0.1 at 2 bits, 0.01
  std::optional<bool> asymmetric;  // else at 2 bits alone, as in the paper's tables
  std::uint32_t tile_rows = 0;
};

/// Sets one option of `--set lr-qat.KEY=VALUE`; refuses what is not one.
void set_lr_qat_option(LrQatOptions& options, std::string_view key, std::string_view value);

class LrQatMethod final : public LowRankMethod {
 public:
  explicit LrQatMethod(const MethodSetup& setup);

  Weight reserve_weight(vk::Arena& arena, const std::string& name, DType dtype, const Shape& shape) override;
  std::unique_ptr<Linear> make_linear(std::vector<BaseWeight> weights) override;

  /// s0, and the zeros of an asymmetric grid, from W0 [rows, columns] by the range search; a group each.
  struct Ranges {
    std::vector<float> scale;
    std::vector<std::uint32_t> zeros;
  };
  Ranges ranges(const std::string& name, std::span<const float> weight, std::uint32_t columns) const;
  /// The same, from the start if it has just found them: the search is long.
  Ranges take_ranges(const std::string& name, std::span<const float> weight, std::uint32_t columns);

  PhiFormat format() const;
  bool asymmetric() const { return options_.asymmetric.value_or(setup_.bits == 2); }
  RequantizeOptions quantiser(std::uint32_t columns) const;

 private:
  LrQatMethod(const MethodSetup& setup, const LrQatOptions& options);
  void start_projection(const ProjectionStart& projection) override;
  void read_grid(vk::Device& device, const std::string& name, const Target& target,
                 std::span<const float> scale, QuantizedMatrix& out) const override;

  LrQatOptions options_;
  std::map<std::string, Ranges> ranges_;  // from start to load
};

}  // namespace walsh

// LoRA (Hu et al., arXiv 2106.09685; on a quantised base: QLoRA, arXiv 2305.14314): a frozen layer and a
// product of two thin matrices beside it,
//   h = γ·x·Aᵀ       y = x·Wᵀ + bias + h·Bᵀ       A [r, n], B [m, r],  γ = alpha / r
//   dh = γ·dy·B      dA = dhᵀ·x      dB = dyᵀ·h    dx = dy·W + dh·A
// B is held transposed, Bᵀ [r, m], so that every product is one of ops/matmul.h.
#pragma once

#include "methods/registry.h"

namespace walsh {

extern const MethodEntry lora_method;

/// The adapter of one projection.
struct LoraAdapter {
  std::string name;        // of the module
  Parameter a;             // A [r, n]
  Parameter b_transposed;  // Bᵀ [r, m]
};

class LoraMethod final : public Method {
 public:
  explicit LoraMethod(const MethodSetup& setup);

  std::unique_ptr<Linear> make_linear(std::vector<BaseWeight> weights) override;
  StartsFrom starts_from() const override { return cloq_ ? StartsFrom::gram : StartsFrom::base; }
  std::string describe_start() const override;
  /// Both in the layout of PEFT.
  void save(const std::filesystem::path& folder, vk::Device& device) const override;
  void read(const std::filesystem::path& folder, const ReadBase& base) override;

  const std::vector<LoraAdapter>& adapters() const { return adapters_; }
  float gamma() const { return static_cast<float>(setup_.alpha / setup_.rank); }
  /// x·Aᵀ and its gradient: [T, r] of scratch.
  const Tensor& inner() const { return inner_; }
  const Tensor& d_inner() const { return d_inner_; }

 private:
  void start_projection(const ProjectionStart& projection) override;

  bool cloq_;  // lora.init=cloq instead of zero
  Tensor inner_, d_inner_;
  std::vector<LoraAdapter> adapters_;
  std::size_t fitted_ = 0;
  double log_error_left_ = 0;  // Σ log of ‖(W − W_q − γBA)X‖ / ‖(W − W_q)X‖ over the fitted
};

}  // namespace walsh

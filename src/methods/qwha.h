// QWHA: a quantised layer and a sparse adapter in the Walsh-Hadamard domain (Jeon et al., arXiv 2509.17428,
// section 3):
//   y  = x·W_qᵀ + α·x̃·Fᵀ + bias       x̃ = x·H̃, H̃ = H_r/√n orthonormal,  α = s/√(n·m)
//   dc = α · (gᵀ·x̃ at the positions of F)
//   dx = g·W_q + α·(g·F)·H̃ᵀ
// F [m, n] is sparse; its positions are fixed at initialisation, its values c are trained. The base path is
// untouched, x̃ is computed once for all projections of one input and again in the backward, and nothing of
// size m × n exists. The same the other way round (qwha.product=weights): y = x·(W_q + α·F·H̃ᵀ)ᵀ, by tiles of
// rows.
#pragma once

#include <map>

#include "methods/qwha_init.h"
#include "methods/registry.h"
#include "ops/hadamard.h"
#include "tensor/sparse_matrix.h"

namespace walsh {

extern const MethodEntry qwha_method;

/// The adapter of one projection.
struct QwhaAdapter {
  std::string name;  // of the module
  SparseTensor support;
  SparseBlocks blocks;  // where the gradient is gathered
  Parameter values;     // c, in stored units
  float alpha = 0;
};

class QwhaMethod final : public Method {
 public:
  explicit QwhaMethod(const MethodSetup& setup);

  std::unique_ptr<Linear> make_linear(std::vector<BaseWeight> weights) override;
  StartsFrom starts_from() const override { return StartsFrom::gram; }
  bool recodes() const override { return options_.recode > 0 && options_.refine && !options_.zero; }
  std::string describe_start() const override;
  std::vector<StartError> start_errors() const override { return errors_; }
  void upload(vk::Device& device) override;
  void save(const std::filesystem::path& folder, vk::Device& device) const override;
  void read(const std::filesystem::path& folder, const ReadBase& base) override;

  const std::vector<QwhaAdapter>& adapters() const { return adapters_; }
  const QwhaOptions& options() const { return options_; }

  /// Tensors that any layer's pass may overwrite.
  struct Scratch {
    Tensor activations;      // x̃ [T, n], in the backward then g·F; x̃ᵀ [n, T]; gᵀ [m, T]
    std::uint32_t rows = 0;  // of a tile
    Tensor tile, spectrum;   // [rows, widest]: of W' or of gᵀ·x̃; of α·F. Where the options want them
  };
  const Scratch& scratch() const { return scratch_; }
  const HadamardTransform& transform(std::uint32_t width) const { return transforms_.at(width); }

 private:
  void start_projection(const ProjectionStart& projection) override;
  /// The positions and values of an adapter, for `upload`.
  void take(const std::string& name, QwhaCoefficients coefficients);

  QwhaOptions options_;
  Scratch scratch_;
  std::map<std::uint32_t, HadamardTransform> transforms_;  // by width
  std::vector<QwhaAdapter> adapters_;
  std::map<std::string, QwhaCoefficients> starts_;  // until upload
  // of the start, for people
  std::vector<StartError> errors_;
  std::size_t coefficients_ = 0, fitted_ = 0, recoded_ = 0;
  double log_error_left_ = 0;  // Σ log of ‖(W − W_q − ΔW)X‖ / ‖(W − W_q)X‖ over the fitted
};

}  // namespace walsh

// What L4Q and LR-QAT share: a weight that is quantised anew in every pass, because a low-rank product B·A
// moves it.
//   product = B·A          B [m, r], A [r, n]
//   w = make(product)      the method's quantiser of frozen values and product
//   y = x·wᵀ,  dx = dy·w,  G = dyᵀ·x,  H = ∂L/∂product from G;  dB += H·Aᵀ,  dA += Bᵀ·H
// All of this goes by tiles of rows through scratch that every layer shares, so that nothing of size m × n
// exists between passes, nor inside one for a large layer. The backward makes the weight a second time.
#pragma once

#include <functional>
#include <map>
#include <optional>

#include "methods/method.h"

namespace walsh {

/// B·A of one projection: B starts at zero, A uniform in ±1/√n.
struct LowRankFactors {
  Parameter b, a;
};

LowRankFactors add_low_rank(const MethodSetup& setup, const std::string& name, std::uint32_t rows,
                            std::uint32_t columns);
/// A's values of the projection with this index.
std::vector<float> low_rank_start(std::uint64_t seed, std::uint32_t index, std::uint32_t rank,
                                  std::uint32_t columns);

/// Refuses a weight that is not finite, by its row.
void require_finite(const std::string& name, std::span<const float> weight, std::uint32_t columns);

/// The rows of a tile of a weight: `asked`, or where that is 0 as many as make 32 MiB, and no more than the
/// widest layer has; a multiple of 128, which keeps every part of a tensor on its alignment.
std::uint32_t tile_rows(const MethodSetup& setup, std::uint32_t asked);

/// Tensors that any layer's pass may overwrite, for tiles of up to `rows` rows.
struct TileScratch {
  std::uint32_t rows = 0;
  Tensor weight, product;  // f32, rows · widest
  Tensor db;               // f32, rows · rank
};

/// `rows`: as tile_rows takes it.
TileScratch reserve_tiles(const MethodSetup& setup, std::uint32_t rows);

class LowRankLinear : public Linear {
 public:
  /// factors[i]: of projection i, or none: it then stays as the base has it.
  LowRankLinear(std::vector<BaseWeight> weights, std::vector<std::optional<LowRankFactors>> factors,
                const TileScratch& scratch)
      : Linear(std::move(weights)), factors_(std::move(factors)), scratch_(scratch) {}

  void forward(vk::Recorder& rec, std::span<const Tensor> y, const Tensor& x) override;
  void backward(vk::Recorder& rec, const Tensor& dx, std::span<const Tensor> dy, const Tensor& x) override;

  /// The weight of projection i as a pass computes it, brought to the host.
  std::vector<float> weight(vk::Device& device, std::size_t i) const;

 protected:
  /// Rows [first, first + R) of projection i: w from product, both f32 [R, n].
  virtual void make(vk::Recorder& rec, std::size_t i, std::uint64_t first, const Tensor& w,
                    const Tensor& product) const = 0;
  /// g holds those rows of ∂L/∂w and becomes ∂L/∂product; gradients of the grid += theirs.
  virtual void differentiate(vk::Recorder& rec, std::size_t i, std::uint64_t first, const Tensor& g,
                             const Tensor& product) const = 0;

 private:
  struct Tile {
    std::uint64_t first;
    Tensor weight, product, b, db, b_gradient;
  };
  void for_tiles(std::size_t i, const std::function<void(const Tile&)>& visit) const;
  void make_tile(vk::Recorder& rec, std::size_t i, const Tile& tile) const;

  std::vector<std::optional<LowRankFactors>> factors_;
  const TileScratch& scratch_;
};

/// A method of such layers, with a grid of its own whose scales are the parameters `MODULE.scale`.
class LowRankMethod : public Method {
 public:
  StartsFrom starts_from() const override { return StartsFrom::original; }

  std::optional<QuantizedMatrix> exported(vk::Device& device, const std::string& module) const override;
  /// The codes of a target as the last pass computed them; every weight of training is reproduced bit for
  /// bit.
  QuantizedMatrix merged(vk::Device& device, const std::string& name) const;

  std::vector<std::string> remarks(vk::Device& device) const override;

 protected:
  /// A target of the run: projection `index` of a layer.
  struct Target {
    const LowRankLinear* linear;
    std::size_t index;
  };

  LowRankMethod(const MethodSetup& setup, std::uint32_t tile_rows);

  bool is_ours(const BaseWeight& weight) const { return is_target(setup_.targets, weight.name); }
  /// Every projection of the layer that has factors is a target.
  void add_targets(const LowRankLinear& linear, const std::vector<std::optional<LowRankFactors>>& factors);
  std::uint32_t group_size(std::uint32_t columns) const;
  void start_low_rank(const ProjectionStart& projection);

  /// The grid of a target as the forward computes it from these scales: words as in QuantizedMatrix.
  virtual void read_grid(vk::Device& device, const std::string& name, const Target& target,
                         std::span<const float> scale, QuantizedMatrix& out) const = 0;

  TileScratch scratch_;
  std::map<std::string, Target> targets_;
};

}  // namespace walsh

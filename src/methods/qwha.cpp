#include "methods/qwha.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include "methods/low_rank_linear.h"
#include "ops/add.h"
#include "ops/matmul.h"
#include "ops/quant_matmul.h"
#include "ops/sddmm.h"
#include "ops/sddmm_gathered.h"
#include "ops/sparse_rows.h"
#include "ops/spmm.h"
#include "ops/transpose.h"

namespace walsh {
namespace {

using vk::Recorder;

// The leading part of a scratch tensor as [rows, columns].
Tensor shaped(const Tensor& scratch, std::uint64_t rows, std::uint64_t columns) {
  return {scratch.memory.part(0, rows * columns * 4), DType::f32, {rows, columns}};
}

// Cuts a scratch tensor into f32 tensors, one behind the other.
class Cutter {
 public:
  explicit Cutter(const Tensor& scratch) : left_(scratch.memory) {}

  bool has_room(std::uint64_t rows, std::uint64_t columns) const {
    return bytes(rows, columns) <= left_.size;
  }
  Tensor cut(std::uint64_t rows, std::uint64_t columns) {
    const std::uint64_t taken = bytes(rows, columns);
    require(taken <= left_.size, "qwha: a pass wants {} bytes of scratch, {} are left", taken, left_.size);
    const Tensor tensor{left_.part(0, rows * columns * 4), DType::f32, {rows, columns}};
    left_ = left_.part(taken, left_.size - taken);
    return tensor;
  }

 private:
  static std::uint64_t bytes(std::uint64_t rows, std::uint64_t columns) {
    return (rows * columns * 4 + vk::Arena::alignment - 1) / vk::Arena::alignment * vk::Arena::alignment;
  }
  vk::Slice left_;
};

class QwhaLinear final : public Linear {
 public:
  /// `adapters[i]`: index of weight i's adapter in the method, or none.
  QwhaLinear(std::vector<BaseWeight> weights, const QwhaMethod& method,
             std::vector<std::optional<std::size_t>> adapters)
      : Linear(std::move(weights)), method_(method), adapters_(std::move(adapters)) {}

  void forward(Recorder& rec, std::span<const Tensor> y, const Tensor& x) override {
    forward_from(rec, y, x, nullptr);
  }
  void forward_of_norm(Recorder& rec, std::span<const Tensor> y, const Norm& norm) override {
    forward_from(rec, y, norm.y, &norm);
  }
  void backward(Recorder& rec, const Tensor& dx, std::span<const Tensor> dy, const Tensor& x) override {
    backward_from(rec, dx, dy, x, nullptr);
  }
  void backward_of_norm(Recorder& rec, const Tensor& dx, std::span<const Tensor> dy,
                        const Norm& norm) override {
    backward_from(rec, dx, dy, norm.y, &norm);
  }

 private:
  // `norm`: what x is still to be computed by, or null.
  void forward_from(Recorder& rec, std::span<const Tensor> y, const Tensor& x, const Norm* norm) {
    if (!any() || by_weights(x.shape[0])) {
      if (norm) rmsnorm_forward(rec, *norm);
      if (!any()) return forward_base(rec, y, x);
      for (std::size_t i = 0; i < weights_.size(); ++i) forward_by_weights(rec, i, y[i], x);
      return;
    }
    Cutter scratch(method_.scratch().activations);
    const Tensor transformed = transform_input(rec, x, norm, scratch);
    forward_base(rec, y, x);
    const Tensor xt = transposed(rec, transformed, scratch);
    std::vector<SparsePart> parts;
    for (std::size_t i = 0; i < weights_.size(); ++i)
      if (const QwhaAdapter* a = adapter(i)) parts.push_back({y[i], a->values.value, a->support, a->alpha});
    spmm_forward(rec, parts, xt, true);
  }

  void backward_from(Recorder& rec, const Tensor& dx, std::span<const Tensor> dy, const Tensor& x,
                     const Norm* norm) {
    const bool weights = by_weights(x.shape[0]);
    if (dx && any() && weights) {
      for (std::size_t i = 0; i < weights_.size(); ++i) backward_by_weights(rec, i, dx, dy[i]);
    } else if (dx) {
      backward_base(rec, dx, dy);
    }
    if (!any()) return;
    const QwhaGradient gradient = method_.options().gradient;
    const bool dense = gradient == QwhaGradient::dense, spread = dx && !weights;
    Cutter scratch(method_.scratch().activations);
    const Tensor transformed = transform_input(rec, x, norm, scratch);
    const Tensor xt = dense ? Tensor{} : transposed(rec, transformed, scratch);
    if (dense)
      for (std::size_t i = 0; i < weights_.size(); ++i)
        if (adapter(i)) gradient_by_tiles(rec, i, dy[i], transformed);
    if (dense && !spread) return;
    // Σ_i α_i·g_i·F_i, over x̃, which x̃ᵀ has replaced
    const Tensor spectrum = shaped(method_.scratch().activations, x.shape[0], x.shape[1]);
    bool accumulate = false;
    for (std::size_t i = 0; i < weights_.size();) {
      const Turn turn = transposed_gradients(rec, i, dy, scratch);
      if (turn.values.empty()) break;
      if (gradient == QwhaGradient::sampled) sddmm(rec, turn.gradients, xt);
      if (gradient == QwhaGradient::gathered)
        for (std::size_t k = 0; k < turn.gradients.size(); ++k)
          sddmm_gathered(rec, turn.gradients[k].values, turn.gradients[k].outputs, xt, turn.gradients[k].f,
                         *turn.blocks[k], turn.gradients[k].scale);
      if (spread) spmm_backward(rec, spectrum, turn.values, accumulate);
      accumulate = true;
    }
    if (!spread) return;
    if (method_.options().hadamard) {
      hadamard(rec, dx, spectrum, method_.transform(weights_[0].columns), true, factor(), true);
    } else {
      add(rec, dx, dx, spectrum);
    }
  }

  bool any() const {
    return std::any_of(adapters_.begin(), adapters_.end(),
                       [](const auto& index) { return index.has_value(); });
  }
  const QwhaAdapter* adapter(std::size_t i) const {
    return adapters_[i] ? &method_.adapters()[*adapters_[i]] : nullptr;
  }
  // Makes the transform orthonormal.
  float factor() const {
    return static_cast<float>(1.0 / std::sqrt(static_cast<double>(weights_[0].columns)));
  }

  // x̃ [T, n]; without a transform x, and its place in the scratch for what comes back. With a norm, x too.
  Tensor transform_input(Recorder& rec, const Tensor& x, const Norm* norm, Cutter& scratch) const {
    const Tensor transformed = scratch.cut(x.shape[0], x.shape[1]);
    if (!method_.options().hadamard) {
      if (norm) rmsnorm_forward(rec, *norm);
      return x.view(transformed.shape);
    }
    const HadamardTransform& transform = method_.transform(weights_[0].columns);
    if (norm) {
      hadamard(rec, transformed, *norm, transform, factor());
    } else {
      hadamard(rec, transformed, x, transform, false, factor());
    }
    return transformed;
  }

  static Tensor transposed(Recorder& rec, const Tensor& transformed, Cutter& scratch) {
    const Tensor xt = scratch.cut(transformed.shape[1], transformed.shape[0]);
    transpose(rec, xt, transformed);
    return xt;
  }

  // gᵀ of as many projections as the scratch holds at once.
  struct Turn {
    std::vector<SparsePart> values, gradients;
    std::vector<const SparseBlocks*> blocks;
  };

  // Of the projections from `next` on, which moves behind them.
  Turn transposed_gradients(Recorder& rec, std::size_t& next, std::span<const Tensor> dy,
                            Cutter scratch) const {
    Turn turn;
    std::vector<Transposition> transpositions;
    for (; next < weights_.size(); ++next) {
      const QwhaAdapter* a = adapter(next);
      if (!a) continue;
      const std::uint64_t rows = weights_[next].rows, tokens = dy[next].shape.rows();
      if (!turn.values.empty() && !scratch.has_room(rows, tokens)) break;
      const Tensor gt = scratch.cut(rows, tokens);
      transpositions.push_back({gt, dy[next]});
      turn.values.push_back({gt, a->values.value, a->support, a->alpha});
      turn.gradients.push_back({gt, a->values.gradient, a->support, a->alpha});
      turn.blocks.push_back(&a->blocks);
    }
    if (!transpositions.empty()) transpose(rec, transpositions);
    return turn;
  }

  // A dense base, one whose columns stand in another order than F's, and a generated token keep F with the
  // activations.
  bool by_weights(std::uint64_t tokens) const {
    return method_.options().product == QwhaProduct::weights && tokens >= 16 &&
           std::ranges::all_of(weights_, [](const BaseWeight& w) { return w.is_quantized() && !w.position; });
  }

  void for_tiles(std::size_t i,
                 const std::function<void(std::uint64_t first, std::uint64_t rows)>& visit) const {
    const std::uint64_t m = weights_[i].rows, step = method_.scratch().rows;
    for (std::uint64_t first = 0; first < m; first += step) visit(first, std::min(step, m - first));
  }

  // Rows of W' = W_q + α·F·H̃ᵀ; of W_q where the projection has no adapter.
  Tensor make_tile(Recorder& rec, std::size_t i, std::uint64_t first, std::uint64_t rows) const {
    const QuantizedTensor& q = weights_[i].quantized;
    const Tensor tile = shaped(method_.scratch().tile, rows, q.columns);
    dequantize(rec, tile,
               {q.codes.rows(first, rows), q.grid.rows(first, rows), static_cast<std::uint32_t>(rows),
                q.columns, q.bits, q.group_size, q.offset});
    const QwhaAdapter* a = adapter(i);
    if (!a) return tile;
    const Tensor spectrum = shaped(method_.scratch().spectrum, rows, q.columns);
    densify(rec, spectrum, a->values.value, a->support, first, a->alpha);
    if (method_.options().hadamard) {
      hadamard(rec, tile, spectrum, method_.transform(q.columns), true, factor(), true);
    } else {
      add(rec, tile, tile, spectrum);
    }
    return tile;
  }

  void forward_by_weights(Recorder& rec, std::size_t i, const Tensor& y, const Tensor& x) const {
    for_tiles(i, [&](std::uint64_t first, std::uint64_t rows) {
      matmul_forward_tile(rec, y, x, make_tile(rec, i, first, rows), first, weights_[i].bias);
    });
  }

  void backward_by_weights(Recorder& rec, std::size_t i, const Tensor& dx, const Tensor& dy) const {
    for_tiles(i, [&](std::uint64_t first, std::uint64_t rows) {
      matmul_backward_tile(rec, dx, dy, make_tile(rec, i, first, rows), first, i > 0 || first > 0);
    });
  }

  // The entries of α·gᵀ·x̃ that F has.
  void gradient_by_tiles(Recorder& rec, std::size_t i, const Tensor& dy, const Tensor& transformed) const {
    const QwhaAdapter& a = *adapter(i);
    for_tiles(i, [&](std::uint64_t first, std::uint64_t rows) {
      const Tensor tile = shaped(method_.scratch().tile, rows, weights_[i].columns);
      rec.clear(tile);
      matmul_backward_weight_tile(rec, tile, dy, transformed, first);
      sample(rec, a.values.gradient, tile, a.support, first, a.alpha);
    });
  }

  const QwhaMethod& method_;
  std::vector<std::optional<std::size_t>> adapters_;
};

}  // namespace

QwhaMethod::QwhaMethod(const MethodSetup& setup)
    : Method(setup), options_(qwha_options(setup.set, setup.seed)) {
  // Room for x̃, x̃ᵀ and gᵀ of the widest projection, and so for gᵀ of several where they are narrower.
  const std::uint64_t padding = 8 * vk::Arena::alignment / 4;
  scratch_ = {reserve(setup.arena, DType::f32, {3 * std::uint64_t{setup.tokens} * setup.widest + padding}),
              tile_rows(setup, 0),
              {},
              {}};
  const auto tile = [&] { return reserve(setup.arena, DType::f32, {scratch_.rows, setup.widest}); };
  const bool weights = options_.product == QwhaProduct::weights;
  if (weights || options_.gradient == QwhaGradient::dense) scratch_.tile = tile();
  if (weights) scratch_.spectrum = tile();
}

std::unique_ptr<Linear> QwhaMethod::make_linear(std::vector<BaseWeight> weights) {
  std::vector<std::optional<std::size_t>> indices;
  for (const BaseWeight& w : weights) {
    if (!is_target(setup_.targets, w.name)) {
      indices.emplace_back();
      continue;
    }
    const std::uint32_t budget = qwha_coefficients(options_, setup_.rank, w.rows, w.columns);
    if (options_.hadamard) transforms_.try_emplace(w.columns, setup_.arena, w.columns);
    indices.emplace_back(adapters_.size());
    adapters_.push_back({.name = w.name,
                         .support = reserve_sparse(setup_.arena, w.rows, w.columns, budget),
                         .blocks = options_.gradient == QwhaGradient::gathered
                                       ? reserve_blocks(setup_.arena, w.rows, budget)
                                       : SparseBlocks{},
                         .values = setup_.parameters.add(w.name, {budget}),
                         .alpha = static_cast<float>(qwha_alpha(w.rows, w.columns, options_.scale))});
  }
  return std::make_unique<QwhaLinear>(std::move(weights), *this, std::move(indices));
}

void QwhaMethod::upload(vk::Device& device) {
  for (auto& [width, transform] : transforms_) transform.upload(device);
  for (QwhaAdapter& adapter : adapters_) {
    const auto found = starts_.find(adapter.name);
    if (found == starts_.end()) continue;
    const QwhaCoefficients& c = found->second;
    const SparseMatrix support{c.rows, c.columns, c.row_ptr, c.col};
    walsh::upload(device, adapter.support, support);
    if (adapter.blocks.block_ptr) walsh::upload(device, adapter.blocks, support);
  }
  starts_.clear();
}

}  // namespace walsh

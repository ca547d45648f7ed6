#include "methods/qwha.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "ops/sddmm.h"
#include "ops/spmm.h"
#include "ops/transpose.h"

namespace walsh {
namespace {

using vk::Recorder;

// The leading part of a scratch tensor as [rows, columns].
Tensor shaped(const Tensor& scratch, std::uint64_t rows, std::uint64_t columns) {
  return {scratch.memory.part(0, rows * columns * 4), DType::f32, {rows, columns}};
}

class QwhaLinear final : public Linear {
 public:
  /// `adapters[i]`: index of weight i's adapter in the method, or none.
  QwhaLinear(std::vector<BaseWeight> weights, const QwhaMethod& method,
             std::vector<std::optional<std::size_t>> adapters)
      : Linear(std::move(weights)), method_(method), adapters_(std::move(adapters)) {}

  void forward(Recorder& rec, std::span<const Tensor> y, const Tensor& x) override {
    forward_base(rec, y, x);
    if (!any()) return;
    const Tensor xt = transform_input(rec, x);
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      if (const QwhaAdapter* a = adapter(i))
        spmm_forward(rec, y[i], xt, a->values.value, a->support, a->alpha, true);
    }
  }

  void backward(Recorder& rec, const Tensor& dx, std::span<const Tensor> dy, const Tensor& x) override {
    if (dx) backward_base(rec, dx, dy);
    if (!any()) return;
    const std::uint64_t T = x.shape[0], n = x.shape[1];
    const Tensor xt = transform_input(rec, x);
    const Tensor spectrum = shaped(method_.scratch().transformed, T, n);  // Σ_i α_i·g_i·F_i
    bool accumulate = false;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      const QwhaAdapter* a = adapter(i);
      if (!a) continue;
      const Tensor gt = shaped(method_.scratch().gradient_transposed, weights_[i].rows, T);
      transpose(rec, gt, dy[i]);
      sddmm(rec, a->values.gradient, gt, xt, a->support, a->alpha);
      if (dx) spmm_backward(rec, spectrum, gt, a->values.value, a->support, a->alpha, accumulate);
      accumulate = true;
    }
    if (dx) hadamard(rec, dx, spectrum, method_.transform(weights_[0].columns), true, norm(), true);
  }

 private:
  bool any() const {
    return std::any_of(adapters_.begin(), adapters_.end(),
                       [](const auto& index) { return index.has_value(); });
  }
  const QwhaAdapter* adapter(std::size_t i) const {
    return adapters_[i] ? &method_.adapters()[*adapters_[i]] : nullptr;
  }
  float norm() const { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(weights_[0].columns))); }

  // x̃ᵀ [n, T]
  Tensor transform_input(Recorder& rec, const Tensor& x) const {
    const std::uint64_t T = x.shape[0], n = x.shape[1];
    const Tensor transformed = shaped(method_.scratch().transformed, T, n);
    const Tensor transposed = shaped(method_.scratch().transformed_transposed, n, T);
    hadamard(rec, transformed, x, method_.transform(weights_[0].columns), false, norm());
    transpose(rec, transposed, transformed);
    return transposed;
  }

  const QwhaMethod& method_;
  std::vector<std::optional<std::size_t>> adapters_;
};

}  // namespace

QwhaMethod::QwhaMethod(const MethodSetup& setup)
    : Method(setup), options_(qwha_options(setup.set, setup.seed)) {
  const auto scratch = [&] { return reserve(setup.arena, DType::f32, {setup.tokens, setup.widest}); };
  scratch_ = {scratch(), scratch(), scratch()};
}

std::unique_ptr<Linear> QwhaMethod::make_linear(std::vector<BaseWeight> weights) {
  std::vector<std::optional<std::size_t>> indices;
  for (const BaseWeight& w : weights) {
    if (!is_target(setup_.targets, w.name)) {
      indices.emplace_back();
      continue;
    }
    const std::uint32_t budget = qwha_coefficients(options_, setup_.rank, w.rows, w.columns);
    transforms_.try_emplace(w.columns, setup_.arena, w.columns);
    indices.emplace_back(adapters_.size());
    adapters_.push_back({.name = w.name,
                         .support = reserve_sparse(setup_.arena, w.rows, w.columns, budget),
                         .values = setup_.parameters.add(w.name, {budget}),
                         .alpha = static_cast<float>(qwha_kappa(w.rows, w.columns, options_.scale) *
                                                     std::sqrt(static_cast<double>(w.columns)))});
  }
  return std::make_unique<QwhaLinear>(std::move(weights), *this, std::move(indices));
}

void QwhaMethod::upload(vk::Device& device) {
  for (auto& [width, transform] : transforms_) transform.upload(device);
  for (const QwhaAdapter& adapter : adapters_) {
    const auto found = starts_.find(adapter.name);
    if (found == starts_.end()) continue;
    const QwhaCoefficients& c = found->second;
    walsh::upload(device, adapter.support, {c.rows, c.columns, c.row_ptr, c.col});
  }
  starts_.clear();
}

}  // namespace walsh

#include "methods/linear.h"

#include <algorithm>

#include "base/error.h"
#include "ops/gather_columns.h"
#include "ops/matmul.h"

namespace walsh {

void Linear::load(vk::Device&, std::size_t i, std::span<const float>) {
  refuse("{}: the method reserved no memory for this weight and takes none", weights_[i].name);
}

bool Linear::needs_reordered() const {
  return std::ranges::any_of(weights_, [](const BaseWeight& w) { return static_cast<bool>(w.input_of); });
}

Tensor Linear::reordered_for(const Tensor& x) const {
  const std::uint64_t rows = x.shape.rows(), columns = weights_[0].columns;
  require(reordered_ && reordered_.shape.elements() >= rows * columns,
          "{}: no room for its inputs in the order of its groups", weights_[0].name);
  return {reordered_.memory.part(0, rows * columns * 4), DType::f32, {rows, columns}};
}

std::vector<QuantPart> Linear::quantized_parts(std::span<const Tensor> y) const {
  std::vector<QuantPart> parts;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const BaseWeight& w = weights_[i];
    if (!w.is_quantized() || w.input_of) return {};
    parts.push_back({y[i], w.quantized, w.bias});
  }
  return parts;
}

void Linear::forward_base(vk::Recorder& rec, std::span<const Tensor> y, const Tensor& x) const {
  if (const auto parts = quantized_parts(y); !parts.empty()) return quant_matmul_forward(rec, parts, x);
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const BaseWeight& w = weights_[i];
    if (w.input_of) {
      const Tensor ordered = reordered_for(x);
      gather_columns(rec, ordered, x, w.input_of);
      quant_matmul_forward(rec, y[i], ordered, w.quantized, w.bias);
    } else {
      matmul_forward(rec, y[i], x, w.dense, w.bias);
    }
  }
}

void Linear::backward_base(vk::Recorder& rec, const Tensor& dx, std::span<const Tensor> dy) const {
  if (const auto parts = quantized_parts(dy); !parts.empty()) return quant_matmul_backward(rec, dx, parts);
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const BaseWeight& w = weights_[i];
    const bool accumulate = i > 0;
    if (w.input_of) {
      const Tensor ordered = reordered_for(dx);
      quant_matmul_backward(rec, ordered, dy[i], w.quantized);
      gather_columns(rec, dx, ordered, w.position, accumulate);
    } else {
      matmul_backward(rec, dx, dy[i], w.dense, accumulate);
    }
  }
}

}  // namespace walsh

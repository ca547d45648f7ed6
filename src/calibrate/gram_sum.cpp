#include "calibrate/gram_sum.h"

#include <Eigen/Core>
#include <algorithm>

#include "base/parallel.h"
#include "ops/matmul.h"

namespace walsh {
namespace {

using Eigen::Index;

constexpr Index tile = 128;

/// The tiles of `total`'s lower triangle += those of XᵀX.
void add_on_host(std::vector<double>& total, const std::vector<float>& x, Index tokens, Index width) {
  const Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> input(
      x.data(), tokens, width);
  Eigen::Map<Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> sum(total.data(), width,
                                                                                         width);
  const auto tiles = static_cast<std::size_t>((width + tile - 1) / tile);
  parallel_for(tiles, [&](std::size_t i) {  // the longest rows of tiles first
    const Index row = static_cast<Index>(tiles - 1 - i) * tile, rows = std::min(tile, width - row);
    const Eigen::MatrixXf product = input.middleCols(row, rows).transpose() * input.leftCols(row + rows);
    sum.block(row, 0, rows, row + rows) += product.cast<double>();
  });
}

}  // namespace

GramSum::GramSum(vk::Arena& arena, const vk::Device& device, const Tensor& input, std::vector<double>& total)
    : input_(input), total_(&total) {
  const std::uint64_t width = input.shape[1];
  if (!device.info().tuning.lane_by_lane) product_ = reserve(arena, DType::f32, {width, width});
  total.resize(width * width, 0.0);
}

void GramSum::record(vk::Recorder& rec) const {
  if (product_) matmul_backward_weight(rec, product_, input_, input_);
}

void GramSum::take(vk::Device& device) {
  if (!product_) {
    add_on_host(*total_, device.download<float>(input_), static_cast<Index>(input_.shape[0]),
                static_cast<Index>(input_.shape[1]));
    return;
  }
  const auto part = device.download<float>(product_);
  for (std::size_t i = 0; i < part.size(); ++i) (*total_)[i] += part[i];
  device.clear(product_);
}

void GramSum::finish() {
  if (product_) return;
  const std::size_t n = input_.shape[1];
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < i; ++j) (*total_)[j * n + i] = (*total_)[i * n + j];
}

}  // namespace walsh

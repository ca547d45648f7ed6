#include <Eigen/Core>
#include <algorithm>

#include "base/parallel.h"
#include "quantize/gptq.h"

namespace walsh {
namespace {

using Eigen::Index;
using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr std::size_t block_rows = 32;  // share a row of G' while it is in the cache

/// Some rows. With e = w − ŵ and r = e·G', both kept up to date, u = w_j + (r_j − e_j·G'_jj)/G'_jj and a
/// row's objective is e·r. `objective` gets the sum of it before the first sweep and after each.
void descend(GroupCodes& quantized, std::size_t first, Index count, std::span<const double> weights,
             const RowMatrix& gram, std::span<double> objective) {
  const Index n = gram.cols();
  const Eigen::Map<const RowMatrix> w(weights.data() + first * quantized.columns, count, n);
  const auto error = [&](Index i, Index j) {
    return w(i, j) - quantized.weight(first + static_cast<std::size_t>(i), static_cast<std::size_t>(j));
  };
  RowMatrix e(count, n);
  for (Index i = 0; i < count; ++i)
    for (Index j = 0; j < n; ++j) e(i, j) = error(i, j);
  RowMatrix r = e * gram;
  objective[0] = e.cwiseProduct(r).sum();
  for (std::size_t sweep = 1; sweep < objective.size(); ++sweep) {
    for (Index j = 0; j < n; ++j)
      for (Index i = 0; i < count; ++i) {
        const std::size_t row = first + static_cast<std::size_t>(i);
        const auto column = static_cast<std::size_t>(j);
        const AsymmetricGrid<double>& grid = quantized.grid(row, column);
        const double u = w(i, j) + (r(i, j) - e(i, j) * gram(j, j)) / gram(j, j);
        const int code = asymmetric_code(u, grid.scale, grid.zero, quantized.bits);
        std::uint8_t& stored = quantized.codes[row * quantized.columns + column];
        if (code == stored) continue;
        stored = static_cast<std::uint8_t>(code);
        const double changed = error(i, j);
        r.row(i) += (changed - e(i, j)) * gram.row(j);
        e(i, j) = changed;
      }
    objective[sweep] = e.cwiseProduct(r).sum();
  }
}

}  // namespace

std::vector<double> coordinate_descent(GroupCodes& quantized, std::span<const double> weights,
                                       std::span<const double> gram, int sweeps, double damping) {
  RowMatrix g = Eigen::Map<const RowMatrix>(gram.data(), quantized.columns, quantized.columns);
  const double mean = g.diagonal().mean();
  g.diagonal().array() +=
      mean > 0 ? damping * mean : 1.0;  // all inputs 0: any code will do, round to nearest
  const std::size_t values = static_cast<std::size_t>(sweeps) + 1;
  const std::size_t blocks = (quantized.rows + block_rows - 1) / block_rows;
  std::vector<double> by_block(blocks * values);
  parallel_for(blocks, [&](std::size_t block) {
    const std::size_t first = block * block_rows;
    const std::size_t count = std::min<std::size_t>(block_rows, quantized.rows - first);
    descend(quantized, first, static_cast<Index>(count), weights, g,
            std::span(by_block).subspan(block * values, values));
  });
  std::vector<double> objective(values);
  for (std::size_t i = 0; i < by_block.size(); ++i) objective[i % values] += by_block[i];
  return objective;
}

}  // namespace walsh

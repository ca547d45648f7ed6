#include <Eigen/Core>
#include <numeric>

#include "base/parallel.h"
#include "quantize/gptq.h"

namespace walsh {
namespace {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// One row. With e = w − ŵ and r = e·G', both kept up to date, u = w_j + (r_j − e_j·G'_jj)/G'_jj and the
/// objective is e·r. `objective` gets its value before the first sweep and after each.
void descend(GroupCodes& quantized, std::size_t row, std::span<const double> weights, const RowMatrix& gram,
             std::span<double> objective) {
  const std::size_t n = quantized.columns;
  Eigen::RowVectorXd e(quantized.columns);
  for (std::size_t j = 0; j < n; ++j) e[static_cast<Eigen::Index>(j)] = weights[j] - quantized.weight(row, j);
  Eigen::RowVectorXd r = e * gram;
  objective[0] = e.dot(r);
  for (std::size_t sweep = 1; sweep < objective.size(); ++sweep) {
    for (std::size_t column = 0; column < n; ++column) {
      const auto j = static_cast<Eigen::Index>(column);
      const AsymmetricGrid<double>& grid = quantized.grid(row, column);
      const double u = weights[column] + (r[j] - e[j] * gram(j, j)) / gram(j, j);
      const int code = asymmetric_code(u, grid.scale, grid.zero, quantized.bits);
      std::uint8_t& stored = quantized.codes[row * n + column];
      if (code == stored) continue;
      stored = static_cast<std::uint8_t>(code);
      const double error = weights[column] - quantized.weight(row, column);
      r += (error - e[j]) * gram.row(j);
      e[j] = error;
    }
    objective[sweep] = e.dot(r);
  }
}

}  // namespace

std::vector<double> coordinate_descent(GroupCodes& quantized, std::span<const double> weights,
                                       std::span<const double> gram, int sweeps, double damping) {
  const std::size_t n = quantized.columns;
  RowMatrix g = Eigen::Map<const RowMatrix>(gram.data(), quantized.columns, quantized.columns);
  const double mean = g.diagonal().mean();
  g.diagonal().array() +=
      mean > 0 ? damping * mean : 1.0;  // all inputs 0: any code will do, round to nearest
  const std::size_t values = static_cast<std::size_t>(sweeps) + 1;
  std::vector<double> by_row(quantized.rows * values);
  parallel_for(quantized.rows, [&](std::size_t row) {
    descend(quantized, row, weights.subspan(row * n, n), g, std::span(by_row).subspan(row * values, values));
  });
  std::vector<double> objective(values);
  for (std::size_t i = 0; i < by_row.size(); ++i) objective[i % values] += by_row[i];
  return objective;
}

}  // namespace walsh

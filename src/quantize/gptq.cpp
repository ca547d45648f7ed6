#include "quantize/gptq.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "base/error.h"
#include "base/parallel.h"
#include "quantize/cholesky.h"

namespace walsh {
namespace {

using Eigen::Index;
using Matrix = Eigen::MatrixXd;
using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr Index block_columns = 128;  // errors are spread within a block at once, beyond it in one product
constexpr std::size_t block_rows = 32;

/// U = R⁻¹ for the upper triangular R of H = R·Rᵀ, found on H with rows and columns reversed; empty where
/// that fails.
Matrix upper_factor(const Matrix& h) {
  Matrix reversed = h.reverse();
  if (!cholesky_in_place(reversed)) return {};
  Matrix upper = lower_inverse(reversed).reverse();
  return upper.allFinite() ? upper : Matrix{};
}

struct Factor {
  Matrix upper;
  double damping;
};

Factor damped_factor(Matrix h, double damping) {
  const double mean = h.diagonal().mean();
  for (double added = 0; damping <= 1e3; damping = std::max(1e-8, 10 * damping)) {
    h.diagonal().array() += (damping - added) * mean;
    added = damping;
    Matrix upper = upper_factor(h);
    if (upper.size() > 0) return {std::move(upper), damping};
  }
  fail("the Gram matrix cannot be factored: it is not positive semi-definite");
}

/// Everything for some rows of W, held as columns so that a column of the block is contiguous.
class RowBlock {
 public:
  /// `order`: the column of W that stands at each place of `upper` and `weights`.
  RowBlock(const Matrix& upper, std::span<const std::size_t> order, const GptqOptions& options,
           const GridRule& rule, GroupCodes& out, Matrix weights, std::size_t first_row)
      : upper_(upper),
        order_(order),
        static_(options.static_groups),
        rule_(rule),
        out_(out),
        w_(std::move(weights)),
        first_(first_row) {}

  /// Returns the rows' proxy loss.
  double run() {
    const auto n = static_cast<Index>(out_.columns);
    const auto group_size = static_cast<Index>(out_.group_size);
    if (static_) choose_static_grids();
    double loss = 0;
    for (Index begin = 0; begin < n;) {
      Index end = std::min(begin + block_columns, n);
      if (!static_) {  // a group's grid needs every column of it up to date: a block ends where its group
                       // does
        end = std::min(end, (begin / group_size + 1) * group_size);
        if (begin % group_size == 0) choose_grids(begin);
      }
      Matrix errors(w_.rows(), end - begin);
      for (Index j = begin; j < end; ++j) {
        auto e = errors.col(j - begin);
        e = quantise_column(j) / upper_(j, j);
        loss += e.squaredNorm();
        for (Index k = j + 1; k < end; ++k) w_.col(k) -= upper_(j, k) * e;
      }
      w_.rightCols(n - end).noalias() -= errors * upper_.block(begin, end, end - begin, n - end);
      begin = end;
    }
    return loss;
  }

 private:
  /// All grids, each from the columns of W that it will hold.
  void choose_static_grids() {
    const std::size_t n = out_.columns, groups = n / out_.group_size;
    std::vector<double> row(n);
    for (Index i = 0; i < w_.rows(); ++i) {
      for (std::size_t j = 0; j < n; ++j) row[order_[j]] = w_(i, static_cast<Index>(j));
      const std::size_t at = (first_ + static_cast<std::size_t>(i)) * groups;
      for (std::size_t k = 0; k < groups; ++k)
        out_.grids[at + k] = rule_(std::span(row).subspan(k * out_.group_size, out_.group_size));
    }
  }

  void choose_grids(Index first_column) {
    const std::size_t groups = out_.columns / out_.group_size;
    std::vector<double> group(out_.group_size);
    for (Index i = 0; i < w_.rows(); ++i) {
      for (std::size_t k = 0; k < group.size(); ++k) group[k] = w_(i, first_column + static_cast<Index>(k));
      const std::size_t row = first_ + static_cast<std::size_t>(i);
      out_.grids[row * groups + static_cast<std::size_t>(first_column) / out_.group_size] = rule_(group);
    }
  }

  /// w_j − ŵ_j
  Eigen::VectorXd quantise_column(Index j) {
    const std::size_t column = order_[static_cast<std::size_t>(j)];
    Eigen::VectorXd difference(w_.rows());
    for (Index i = 0; i < w_.rows(); ++i) {
      const std::size_t row = first_ + static_cast<std::size_t>(i);
      const AsymmetricGrid<double>& grid = out_.grid(row, column);
      out_.codes[row * out_.columns + column] =
          static_cast<std::uint8_t>(asymmetric_code(w_(i, j), grid.scale, grid.zero, out_.bits));
      difference[i] = w_(i, j) - out_.weight(row, column);
    }
    return difference;
  }

  const Matrix& upper_;
  const std::span<const std::size_t> order_;
  const bool static_;
  const GridRule& rule_;
  GroupCodes& out_;
  Matrix w_;
  const std::size_t first_;
};

std::vector<std::size_t> natural_order(std::size_t n) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

}  // namespace

std::vector<std::size_t> activation_order(std::span<const double> gram, std::size_t columns) {
  std::vector<std::size_t> order = natural_order(columns);
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t j) { return gram[j * columns + j]; });
  return order;
}

GptqResult gptq(std::span<const double> weights, std::span<const double> gram, std::uint32_t rows,
                std::uint32_t columns, const GptqOptions& options, const GridRule& rule) {
  const std::uint32_t group_size =
      options.group_size == -1 ? columns : static_cast<std::uint32_t>(options.group_size);
  const std::size_t n = columns;
  require(options.static_groups || !options.act_order,
          "GPTQ in the order of activations with groups formed on the way: sort the columns beforehand");
  const std::vector<std::size_t> order = options.act_order ? activation_order(gram, n) : natural_order(n);
  Matrix h = Eigen::Map<const Matrix>(gram.data(), columns, columns)(order, order);
  std::vector<bool> dead(columns);
  for (Index j = 0; j < h.rows(); ++j)
    if (h(j, j) == 0) {
      dead[static_cast<std::size_t>(j)] = true;
      h(j, j) = 1;
    }
  const Factor factor = damped_factor(std::move(h), options.damping);

  GptqResult result{{rows, columns, options.bits, group_size, {}, {}}, 0, factor.damping};
  result.quantized.codes.resize(rows * n);
  result.quantized.grids.resize(rows * (n / group_size));
  std::vector<double> losses((rows + block_rows - 1) / block_rows);
  parallel_for(losses.size(), [&](std::size_t block) {
    const std::size_t first = block * block_rows;
    const std::size_t count = std::min<std::size_t>(block_rows, rows - first);
    Matrix w = Eigen::Map<const RowMatrix>(weights.data() + first * n, static_cast<Index>(count), columns)(
        Eigen::all, order);
    for (std::size_t j = 0; j < n; ++j)
      if (dead[j]) w.col(static_cast<Index>(j)).setZero();
    losses[block] = RowBlock(factor.upper, order, options, rule, result.quantized, std::move(w), first).run();
  });
  result.proxy_loss = std::accumulate(losses.begin(), losses.end(), 0.0);
  return result;
}

}  // namespace walsh

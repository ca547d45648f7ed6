#include "methods/qwha_pursuit.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

namespace walsh {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr std::size_t columns_a_block = 10;     // of the support, for one of the next block
constexpr std::size_t candidates_a_column = 8;  // of a block, scored anew within it
constexpr double dependent = 1e-12;             // of a column's energy: less is rounding

/// Σ r_j²/ℓ_j² over the rows, residual [n, rows]; 0 where nothing new is left of a column.
VectorXd drops(const MatrixXd& residual, const VectorXd& left, const VectorXd& energy) {
  return (left.array() > dependent * energy.array())
      .select(residual.rowwise().squaredNorm().array() / left.array(), 0.0);
}

/// The pursuit of a block of rows; a thread has one at a time. With the Cholesky factor L of Ĝ[S,S] and
/// directions Q = Ĝ[:,S]·L⁻ᵀ, a new column j adds u = (Ĝ[:,j] − Q·Q[j,:]ᵀ)/ℓ_j, ℓ_j² = Ĝ_jj − ‖Q[j,:]‖², and
/// lowers a row's error by (r_j/ℓ_j)².
class Pursuit {
 public:
  Pursuit(const QwhaSpectra& spectra, std::uint32_t row, std::uint32_t rows, std::uint32_t count)
      : gram_(spectra.gram.data(), spectra.columns, spectra.columns),
        residual_(Eigen::Map<const MatrixXd>(spectra.target.data() + std::size_t{row} * spectra.columns,
                                             spectra.columns, rows)),
        energy_(gram_.diagonal()),
        left_(energy_),
        directions_(room_for_directions(static_cast<std::size_t>(spectra.columns) * count), spectra.columns,
                    count),
        taken_(VectorXd::Zero(spectra.columns)) {}

  std::size_t size() const { return support_.size(); }
  const std::vector<std::uint32_t>& support() const { return support_; }

  /// The columns with the largest r_j²/Ĝ_jj.
  std::vector<std::uint32_t> best_matches(std::size_t count) const { return best(energy_, count); }

  /// Columns that lower the error most, one after the other, among the `candidates` that do so now.
  std::vector<std::uint32_t> best_drops(std::size_t count, std::size_t candidates) const {
    std::vector<std::uint32_t> from = best(left_, std::min(candidates, free_columns()));
    if (count == 1) from.resize(1);
    if (from.size() <= count) return from;
    const auto n = static_cast<Index>(from.size());
    MatrixXd residual = residual_(from, Eigen::all);
    VectorXd left = left_(from);
    const VectorXd energy = energy_(from);
    MatrixXd directions(n, used_ + static_cast<Index>(count));
    directions.leftCols(used_) = directions_.leftCols(used_)(from, Eigen::all);
    std::vector<std::uint32_t> chosen;
    VectorXd open = VectorXd::Ones(n);
    for (Index used = used_; chosen.size() < count;) {
      Index at = 0;
      (drops(residual, left, energy).array() * open.array() - (1 - open.array())).maxCoeff(&at);
      const std::uint32_t column = from[static_cast<std::size_t>(at)];
      open[at] = 0;
      chosen.push_back(column);
      if (!(left[at] > dependent * energy[at])) continue;
      auto u = directions.col(used);
      u = gram_.row(column)(from).transpose();
      u.noalias() -= directions.leftCols(used) * directions.row(at).head(used).transpose();
      add_direction(u, at, std::sqrt(left[at]), residual, left);
      ++used;
    }
    return chosen;
  }

  void take(std::span<const std::uint32_t> columns) {
    const auto count = static_cast<Index>(columns.size());
    auto block = directions_.middleCols(used_, count);
    MatrixXd rows(count, used_);
    for (Index i = 0; i < count; ++i) {
      const std::uint32_t column = columns[static_cast<std::size_t>(i)];
      block.col(i) = gram_.row(column).transpose();
      rows.row(i) = directions_.row(column).head(used_);
      taken_[column] = 1;
      support_.push_back(column);
    }
    block.noalias() -= directions_.leftCols(used_) * rows.transpose();
    Index added = 0;
    for (Index i = 0; i < count; ++i) {
      const auto j = static_cast<Index>(columns[static_cast<std::size_t>(i)]);
      auto u = block.col(added);
      if (added < i) u = block.col(i);
      u.noalias() -= block.leftCols(added) * block.row(j).head(added).transpose();
      if (!(u[j] > dependent * energy_[j])) continue;  // lies in the span of the others: no new direction
      add_direction(u, j, std::sqrt(u[j]), residual_, left_);
      ++added;
    }
    used_ += added;
  }

 private:
  using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

  std::size_t free_columns() const { return static_cast<std::size_t>(taken_.size()) - size(); }

  std::vector<std::uint32_t> best(const VectorXd& scale, std::size_t count) const {
    const VectorXd score = drops(residual_, scale, energy_);
    return best_columns((taken_.array() != 0).select(-1.0, score.array()).matrix(), count);
  }

  /// u of length ℓ at column j becomes a direction.
  template <typename Column>
  static void add_direction(Column& u, Index j, double length, MatrixXd& residual, VectorXd& left) {
    u /= length;
    for (auto row : residual.colwise()) row -= u * (row[j] / length);
    left -= u.cwiseAbs2();
  }

  Eigen::Map<const RowMatrix> gram_;
  MatrixXd residual_;                // r, a column a row of the block
  VectorXd energy_;                  // Ĝ_jj
  VectorXd left_;                    // ℓ_j²
  Eigen::Map<MatrixXd> directions_;  // Q; as many columns as are independent
  VectorXd taken_;
  std::vector<std::uint32_t> support_;
  Index used_ = 0;
};

}  // namespace

double* room_for_directions(std::size_t count) {
  thread_local std::vector<double> room;
  room.resize(std::max(room.size(), count));
  return room.data();
}

std::vector<std::uint32_t> best_columns(const VectorXd& score, std::size_t count) {
  std::vector<std::uint32_t> columns(static_cast<std::size_t>(score.size()));
  std::iota(columns.begin(), columns.end(), 0u);
  const auto cut = columns.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(columns.begin(), cut, columns.end(), [&](std::uint32_t a, std::uint32_t b) {
    return score[a] != score[b] ? score[a] > score[b] : a < b;
  });
  columns.erase(cut, columns.end());
  return columns;
}

std::vector<std::uint32_t> matching_pursuit(const QwhaSpectra& spectra, std::uint32_t row, std::uint32_t rows,
                                            std::uint32_t count, std::size_t block) {
  Pursuit pursuit(spectra, row, rows, count);
  while (pursuit.size() < count) pursuit.take(pursuit.best_matches(std::min(block, count - pursuit.size())));
  return pursuit.support();
}

std::vector<std::uint32_t> least_squares_pursuit(const QwhaSpectra& spectra, std::uint32_t row,
                                                 std::uint32_t rows, std::uint32_t count) {
  Pursuit pursuit(spectra, row, rows, count);
  while (pursuit.size() < count) {
    const std::size_t block =
        std::min(std::max<std::size_t>(1, pursuit.size() / columns_a_block), count - pursuit.size());
    pursuit.take(pursuit.best_drops(block, candidates_a_column * block));
  }
  return pursuit.support();
}

}  // namespace walsh

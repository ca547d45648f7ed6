#include "methods/qwha_support.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/philox.h"

namespace walsh {
namespace {

/// The `count` best scores, ties to the lowest column, in order of score.
std::vector<std::uint32_t> best_columns(const Eigen::VectorXd& score, std::size_t count) {
  std::vector<std::uint32_t> columns(static_cast<std::size_t>(score.size()));
  std::iota(columns.begin(), columns.end(), 0u);
  const auto cut = columns.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(columns.begin(), cut, columns.end(), [&](std::uint32_t a, std::uint32_t b) {
    return score[a] != score[b] ? score[a] > score[b] : a < b;
  });
  columns.erase(cut, columns.end());
  return columns;
}

/// A draw without replacement (Fisher and Yates).
std::vector<std::uint32_t> random_columns(std::uint32_t n, std::uint32_t count, std::uint64_t seed,
                                          std::uint32_t row) {
  Philox random(seed, row);
  std::vector<std::uint32_t> columns(n);
  std::iota(columns.begin(), columns.end(), 0u);
  for (std::uint32_t i = 0; i < count; ++i) std::swap(columns[i], columns[i + random.below(n - i)]);
  columns.resize(count);
  return columns;
}

/// Matching pursuit on a row's error. With the Cholesky factor L of Ĝ[S,S] and directions Q = Ĝ[:,S]·L⁻ᵀ, a
/// new column j adds u = (Ĝ[:,j] − Q·Q[j,:]ᵀ)/ℓ, ℓ² = Ĝ_jj − ‖Q[j,:]‖², and lowers the row's error by
/// (r_j/ℓ)², r the gradient.
class Pursuit {
 public:
  Pursuit(const QwhaSpectra& spectra, std::uint32_t row, std::uint32_t count)
      : gram_(spectra.gram.data(), spectra.columns, spectra.columns),
        residual_(Eigen::Map<const Eigen::VectorXd>(
            spectra.target.data() + std::size_t{row} * spectra.columns, spectra.columns)),
        energy_(gram_.diagonal()),
        left_(energy_),
        directions_(spectra.columns, count),
        taken_(Eigen::VectorXd::Zero(spectra.columns)) {}

  /// Scores of the columns not taken: r_j²/d_j, or with `exact` the drop in error (r_j/ℓ_j)².
  const Eigen::VectorXd& scores(bool exact) {
    const Eigen::VectorXd& scale = exact ? left_ : energy_;
    score_.resize(residual_.size());
    for (Eigen::Index j = 0; j < residual_.size(); ++j)
      score_[j] = taken_[j] != 0                      ? -1.0
                  : scale[j] > dependent * energy_[j] ? residual_[j] * residual_[j] / scale[j]
                                                      : 0.0;
    return score_;
  }

  void take(std::uint32_t column) {
    const auto j = static_cast<Eigen::Index>(column);
    taken_[j] = 1;
    support_.push_back(column);
    const auto q = directions_.leftCols(used_);
    const Eigen::VectorXd w = q.row(j).transpose();
    const double square = energy_[j] - w.squaredNorm();
    if (!(square > dependent * energy_[j])) return;  // lies in the span of the others: no new direction
    const double length = std::sqrt(square);
    auto u = directions_.col(used_);
    u = gram_.row(j).transpose();
    u.noalias() -= q * w;
    u /= length;
    residual_ -= u * (residual_[j] / length);
    left_ -= u.cwiseAbs2();
    ++used_;
  }

  const std::vector<std::uint32_t>& support() const { return support_; }

 private:
  using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  static constexpr double dependent = 1e-12;  // of a column's energy: less is rounding

  Eigen::Map<const RowMatrix> gram_;
  Eigen::VectorXd residual_;
  Eigen::VectorXd energy_;  // Ĝ_jj
  Eigen::VectorXd left_;    // Ĝ_jj − ‖Q[j,:]‖²
  Eigen::MatrixXd directions_;
  Eigen::VectorXd taken_;
  Eigen::VectorXd score_;
  std::vector<std::uint32_t> support_;
  Eigen::Index used_ = 0;
};

std::vector<std::uint32_t> pursue(const QwhaSpectra& spectra, std::uint32_t row, std::uint32_t count,
                                  bool exact, std::size_t block) {
  Pursuit pursuit(spectra, row, count);
  while (pursuit.support().size() < count)
    for (const std::uint32_t column :
         best_columns(pursuit.scores(exact), std::min(block, count - pursuit.support().size())))
      pursuit.take(column);
  return pursuit.support();
}

std::vector<std::uint32_t> chosen(const QwhaSpectra& spectra, std::uint32_t row, std::uint32_t count,
                                  const QwhaOptions& options) {
  const std::uint32_t n = spectra.columns;
  const Eigen::Map<const Eigen::VectorXd> d(spectra.spectrum.data() + std::size_t{row} * n, n);
  const Eigen::Map<const Eigen::VectorXd, 0, Eigen::InnerStride<>> energy(spectra.gram.data(), n,
                                                                          Eigen::InnerStride<>(n + 1));
  switch (options.select) {
    case QwhaSelect::gram_diag:
      return best_columns(energy.cwiseProduct(d.cwiseAbs2()), count);
    case QwhaSelect::magnitude:
      return best_columns(d.cwiseAbs(), count);
    case QwhaSelect::omp:
      return pursue(spectra, row, count, false, 1);
    case QwhaSelect::omp4:
      return pursue(spectra, row, count, false, 4);
    case QwhaSelect::ols:
      return pursue(spectra, row, count, true, 1);
    case QwhaSelect::random:
      return random_columns(n, count, options.seed, row);
  }
  return {};
}

}  // namespace

std::vector<std::uint32_t> qwha_support(const QwhaSpectra& spectra, std::uint32_t row, std::uint32_t count,
                                        const QwhaOptions& options) {
  std::vector<std::uint32_t> columns = chosen(spectra, row, count, options);
  std::ranges::sort(columns);
  return columns;
}

}  // namespace walsh

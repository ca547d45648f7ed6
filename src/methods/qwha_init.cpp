#include "methods/qwha_init.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/parallel.h"
#include "methods/qwha_support.h"

namespace walsh {
namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

/// Solves A·c = t for a symmetric, positive semi-definite A [k,k] (lower triangle). One that is singular to
/// working precision gets a ridge, as small as will do.
Vector solve(const Matrix& a, const Vector& t) {
  if (t.size() == 0 || !(a.trace() > 0)) return Vector::Zero(t.size());
  const double mean = a.diagonal().mean();
  for (double ridge = 0; ridge < 1; ridge = std::max(1e-12, 100 * ridge)) {
    Matrix factored = a;
    factored.diagonal().array() += ridge * mean;
    const Eigen::LLT<Eigen::Ref<Matrix>> factor(factored);
    const bool regular = (factored.diagonal().array().square() > 1e-13 * a.diagonal().array()).all();
    if (factor.info() == Eigen::Success && regular) return factor.solve(t);
  }
  return Vector::Zero(t.size());
}

/// One row: its support is given, its values in units of H_rᵀ/n are found, and its error with them.
struct RowFit {
  Vector values;
  double error;
};

RowFit fit_row(const QwhaSpectra& spectra, std::size_t row, std::span<const std::uint32_t> support,
               const QwhaOptions& options) {
  const std::size_t n = spectra.columns;
  const auto k = static_cast<Eigen::Index>(support.size());
  if (k == 0) return {Vector(0), spectra.error[row]};
  Matrix gram(k, k);
  Vector target(k);
  Vector spectrum(k);
  for (Eigen::Index b = 0; b < k; ++b) {
    target[b] = spectra.target[row * n + support[b]];
    spectrum[b] = spectra.spectrum[row * n + support[b]];
    for (Eigen::Index a = b; a < k; ++a) gram(a, b) = spectra.gram[support[a] * n + support[b]];
  }
  const Vector values = options.zero ? Vector::Zero(k) : options.refine ? solve(gram, target) : spectrum;
  const Vector image = gram.selfadjointView<Eigen::Lower>() * values;
  return {values, std::max(0.0, spectra.error[row] - values.dot(2 * target - image))};
}

/// Of each row, how many of its |D_ij| are among the `budget` largest of the layer.
std::vector<double> count_largest(const QwhaSpectra& spectra, std::uint64_t budget) {
  std::vector<float> sizes(spectra.spectrum.size());
  std::ranges::transform(spectra.spectrum, sizes.begin(),
                         [](double d) { return static_cast<float>(std::abs(d)); });
  const auto last =
      sizes.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(budget, sizes.size()) - 1);
  std::ranges::nth_element(sizes, last, std::ranges::greater());
  const double threshold = *last;
  std::vector<double> counts(spectra.rows);
  parallel_for(spectra.rows, [&](std::size_t row) {
    const auto first = spectra.spectrum.begin() + static_cast<std::ptrdiff_t>(row * spectra.columns);
    counts[row] = static_cast<double>(std::count_if(first, first + spectra.columns, [&](double d) {
      return static_cast<float>(std::abs(d)) >= threshold;
    }));
  });
  return counts;
}

double sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

}  // namespace

double QwhaStart::error_before() const { return sum(row_error_before); }
double QwhaStart::error() const { return sum(row_error); }

std::vector<std::uint32_t> qwha_shares(const QwhaSpectra& spectra, std::uint64_t budget,
                                       const QwhaOptions& options) {
  std::vector<double> errors = spectra.weight_norm;
  if (options.budget_norm == QwhaBudgetNorm::activation)
    std::ranges::transform(spectra.error, errors.begin(), [](double e) { return std::sqrt(e); });
  if (options.budget_norm == QwhaBudgetNorm::magnitude) errors = count_largest(spectra, budget);
  auto shares = adaalloc(errors, budget, spectra.columns, options.temperature, options.floor);
  for (std::size_t first = 0; first < shares.size(); first += options.block_rows) {
    const std::span block(shares.begin() + static_cast<std::ptrdiff_t>(first),
                          std::min<std::size_t>(options.block_rows, shares.size() - first));
    const auto total = std::accumulate(block.begin(), block.end(), std::uint64_t{0});
    for (std::size_t i = 0; i < block.size(); ++i)
      block[i] = static_cast<std::uint32_t>(total / block.size() + (i < total % block.size()));
  }
  return shares;
}

QwhaStart qwha_fit(const QwhaSpectra& spectra, std::span<const std::uint32_t> shares,
                   const QwhaOptions& options) {
  require(shares.size() == spectra.rows, "{} budgets for {} output channels", shares.size(), spectra.rows);
  QwhaStart start;
  QwhaCoefficients& f = start.coefficients;
  f.rows = spectra.rows;
  f.columns = spectra.columns;
  f.row_ptr.assign(1, 0);
  std::uint64_t total = 0;
  for (const std::uint32_t share : shares) {
    require(share <= spectra.columns, "a budget of {} coefficients for a channel of {} inputs", share,
            spectra.columns);
    total += share;
    require(total <= std::numeric_limits<std::uint32_t>::max(),
            "more than 2^32 − 1 coefficients in one layer");
    f.row_ptr.push_back(static_cast<std::uint32_t>(total));
  }
  f.col.resize(total);
  f.values.resize(total);
  start.row_error_before = spectra.error;
  start.row_error.resize(spectra.rows);

  const double stored = options.hadamard ? qwha_stored_over_raw(spectra.rows, options.scale)
                                         : 1 / qwha_alpha(spectra.rows, spectra.columns, options.scale);
  const auto fit_block = [&](std::uint32_t first) {
    const std::uint32_t rows = std::min(options.block_rows, spectra.rows - first);
    const std::uint32_t most = *std::ranges::max_element(shares.subspan(first, rows));
    const std::vector<std::uint32_t> order = qwha_support(spectra, first, rows, most, options);
    for (std::uint32_t row = first; row < first + rows; ++row) {
      std::vector<std::uint32_t> support(order.begin(), order.begin() + shares[row]);
      std::ranges::sort(support);
      const RowFit fit = fit_row(spectra, row, support, options);
      start.row_error[row] = fit.error;
      for (std::size_t l = 0; l < support.size(); ++l) {
        f.col[f.row_ptr[row] + l] = static_cast<std::uint16_t>(support[l]);
        f.values[f.row_ptr[row] + l] = static_cast<float>(fit.values[static_cast<Eigen::Index>(l)] * stored);
      }
    }
  };
  parallel_for((spectra.rows + options.block_rows - 1) / options.block_rows,
               [&](std::size_t block) { fit_block(static_cast<std::uint32_t>(block) * options.block_rows); });
  return start;
}

std::uint32_t qwha_coefficients(const QwhaOptions& options, std::uint32_t rank, std::uint32_t rows,
                                std::uint32_t columns) {
  if (options.density == 0) return static_cast<std::uint32_t>(qwha_budget(rank, rows, columns));
  return std::max(1u, static_cast<std::uint32_t>(options.density * rows * columns));
}

}  // namespace walsh

#include "methods/qwha_support.h"

#include <Eigen/Core>
#include <algorithm>
#include <numeric>

#include "base/philox.h"
#include "methods/qwha_pursuit.h"

namespace walsh {
namespace {

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

}  // namespace

std::vector<std::uint32_t> qwha_support(const QwhaSpectra& spectra, std::uint32_t row, std::uint32_t rows,
                                        std::uint32_t count, const QwhaOptions& options) {
  const std::uint32_t n = spectra.columns;
  using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const Rows> spectrum(spectra.spectrum.data() + std::size_t{row} * n, rows, n);
  const auto squares = [&] { return Eigen::VectorXd(spectrum.colwise().squaredNorm().transpose()); };
  const Eigen::Map<const Eigen::VectorXd, 0, Eigen::InnerStride<>> energy(spectra.gram.data(), n,
                                                                          Eigen::InnerStride<>(n + 1));
  switch (options.select) {
    case QwhaSelect::gram_diag:
      return best_columns(energy.cwiseProduct(squares()), count);
    case QwhaSelect::magnitude:
      return best_columns(squares(), count);
    case QwhaSelect::omp:
      return matching_pursuit(spectra, row, rows, count, 1);
    case QwhaSelect::omp4:
      return matching_pursuit(spectra, row, rows, count, 4);
    case QwhaSelect::ols:
      return least_squares_pursuit(spectra, row, rows, count);
    case QwhaSelect::random:
      return random_columns(n, count, options.seed, row);
  }
  return {};
}

}  // namespace walsh

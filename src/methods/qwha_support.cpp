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
      return matching_pursuit(spectra, row, count, 1);
    case QwhaSelect::omp4:
      return matching_pursuit(spectra, row, count, 4);
    case QwhaSelect::ols:
      return least_squares_pursuit(spectra, row, count);
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

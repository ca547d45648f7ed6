#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/parallel.h"
#include "methods/qwha_init.h"
#include "ops/hadamard_reference.h"

namespace walsh {
namespace {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr std::size_t block_rows = 32;  // rows that one thread takes at a time

/// A copy in double; refuses a value that is not finite.
template <typename T>
std::vector<double> finite_copy(std::span<const T> values, std::uint32_t columns, const char* what,
                                const char* mend) {
  std::vector<double> copy(values.begin(), values.end());
  const auto bad = std::ranges::find_if_not(copy, [](double v) { return std::isfinite(v); });
  const auto at = static_cast<std::size_t>(bad - copy.begin());
  require(bad == copy.end(), "{} holds {} at [{}, {}]: {}", what, bad == copy.end() ? 0.0 : *bad,
          at / columns, at % columns, mend);
  return copy;
}

template <typename Body>
void for_row_blocks(std::size_t rows, Body body) {
  parallel_for((rows + block_rows - 1) / block_rows, [&](std::size_t block) {
    const std::size_t first = block * block_rows;
    body(first, std::min(block_rows, rows - first));
  });
}

void transform_rows(const Hadamard& h, std::vector<double>& rows, double scale) {
  const std::size_t n = h.layout.n;
  for_row_blocks(rows.size() / n, [&](std::size_t first, std::size_t count) {
    reference::wht(h, rows.data() + first * n, count, scale);
  });
}

/// G + λ·tr(G)/n·I
void damp(std::vector<double>& gram, std::size_t n, double damping) {
  double trace = 0;
  for (std::size_t j = 0; j < n; ++j) trace += gram[j * n + j];
  for (std::size_t j = 0; j < n; ++j) gram[j * n + j] += damping * trace / static_cast<double>(n);
}

}  // namespace

template <typename Weight, typename Gram>
QwhaSpectra qwha_spectra(std::span<const Weight> delta, std::span<const Gram> gram, std::uint32_t rows,
                         std::uint32_t columns, double damping, bool hadamard) {
  require(rows > 0 && columns <= 65536, "a QWHA layer of {} x {}: expected outputs, and at most 65536 inputs",
          rows, columns);
  const std::size_t n = columns;
  require(delta.size() == rows * n && gram.size() == n * n,
          "a QWHA layer of {} x {} with {} weight errors and a Gram matrix of {} values", rows, columns,
          delta.size(), gram.size());
  QwhaSpectra out{rows,
                  columns,
                  {},
                  {},
                  std::vector<double>(rows * n),
                  std::vector<double>(rows),
                  std::vector<double>(rows)};
  out.spectrum = finite_copy(delta, columns, "the weight's quantisation error", "check the model's weights");
  out.gram = finite_copy(gram, columns, "the Gram matrix", "calibrate with --precision fp32");
  damp(out.gram, n, damping);

  const Eigen::Map<const RowMatrix> g(out.gram.data(), columns, columns);
  for_row_blocks(rows, [&](std::size_t first, std::size_t count) {
    const Eigen::Map<const RowMatrix> dw(out.spectrum.data() + first * n, static_cast<Eigen::Index>(count),
                                         columns);
    Eigen::Map<RowMatrix> product(out.target.data() + first * n, static_cast<Eigen::Index>(count), columns);
    product.noalias() = dw * g;
    for (std::size_t i = 0; i < count; ++i) {
      const auto row = static_cast<Eigen::Index>(i);
      out.weight_norm[first + i] = dw.row(row).norm();
      out.error[first + i] = std::max(0.0, dw.row(row).dot(product.row(row)));
    }
  });
  if (!hadamard) return out;
  const Hadamard h(columns);
  const double inverse_n = 1.0 / columns;
  transform_rows(h, out.spectrum, 1.0);
  transform_rows(h, out.target, inverse_n);
  transform_rows(h, out.gram,
                 inverse_n);  // G·H_r/n, and with its transpose G's symmetry gives the other side
  Eigen::Map<RowMatrix>(out.gram.data(), columns, columns).transposeInPlace();
  transform_rows(h, out.gram, inverse_n);
  return out;
}

template QwhaSpectra qwha_spectra(std::span<const float>, std::span<const float>, std::uint32_t,
                                  std::uint32_t, double, bool);
template QwhaSpectra qwha_spectra(std::span<const float>, std::span<const double>, std::uint32_t,
                                  std::uint32_t, double, bool);
template QwhaSpectra qwha_spectra(std::span<const double>, std::span<const double>, std::uint32_t,
                                  std::uint32_t, double, bool);

}  // namespace walsh

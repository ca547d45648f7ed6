#include <Eigen/Core>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/parallel.h"
#include "quantize/gptq.h"
#include "quantize/magr.h"
#include "quantize/rtn.h"
#include "tensor/packing.h"

namespace walsh {
namespace {

constexpr double largest_f16 = 65504.0;

void check_layer(std::span<const float> weights, std::span<const double> gram, std::uint32_t rows,
                 std::uint32_t columns, std::string_view name) {
  const std::size_t n = columns;
  require(weights.size() == rows * n && gram.size() == n * n,
          "{}: {} weights and a Gram matrix of {} values, expected {} x {} and its width squared", name,
          weights.size(), gram.size(), rows, columns);
  for (std::size_t i = 0; i < weights.size(); ++i)
    require(std::isfinite(weights[i]), "{}: weight [{}, {}] is {}, not a finite number", name, i / n, i % n,
            weights[i]);
  for (std::size_t i = 0; i < gram.size(); ++i)
    require(std::isfinite(gram[i]) && (i / n != i % n || gram[i] >= 0),
            "{}: the Gram matrix holds {} at [{}, {}]: calibrate with --precision fp32", name, gram[i], i / n,
            i % n);
}

/// The grid as the file will hold it: an fp16 scale, and the zero that fits it.
AsymmetricGrid<double> grid_as_stored(std::span<const double> group, std::uint32_t bits, bool symmetric) {
  const std::vector<float> rounded(group.begin(), group.end());
  const StoredGrid grid = stored_grid(rounded, bits, symmetric);
  return {grid.scale, grid.zero};
}

QuantizedMatrix packed(const GroupCodes& from, bool symmetric, std::string_view name) {
  QuantizedMatrix q{.rows = from.rows,
                    .columns = from.columns,
                    .bits = from.bits,
                    .group_size = from.group_size,
                    .symmetric = symmetric,
                    .codes = {},
                    .grid = {}};
  const std::size_t words = words_per_row(q.columns, q.bits);
  q.codes.resize(q.rows * words);
  for (std::size_t row = 0; row < q.rows; ++row)
    pack_codes(std::span(from.codes).subspan(row * q.columns, q.columns), q.bits,
               std::span(q.codes).subspan(row * words, words));
  q.grid.reserve(from.grids.size());
  for (const AsymmetricGrid<double>& grid : from.grids) {
    require(grid.scale < largest_f16, "{}: the weights are too large for an fp16 scale", name);
    q.grid.push_back(stored_grid(static_cast<float>(grid.scale), grid.zero).word);
  }
  return q;
}

/// MagR in fp32: its products are most of the work of a layer.
std::vector<double> smoothed(std::span<const float> weights, std::span<const double> gram, std::uint32_t rows,
                             std::uint32_t columns, std::uint32_t group_size, const GptqOptions& options) {
  const std::vector<float> gram32(gram.begin(), gram.end());
  const std::vector<float> v =
      magr<float>(weights, gram32, rows, columns, group_size, static_cast<float>(options.magr_alpha),
                  options.magr_iterations, true);
  return {v.begin(), v.end()};
}

/// The same on columns sorted beforehand, so that groups are formed in that order.
QuantizedLayer in_activation_order(std::span<const float> weights, std::span<const double> gram,
                                   std::uint32_t rows, std::uint32_t columns, GptqOptions options,
                                   std::string_view name) {
  const std::size_t n = columns;
  const std::vector<std::size_t> order = activation_order(gram, n);
  std::vector<float> sorted_weights(weights.size());
  std::vector<double> sorted_gram(gram.size());
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < n; ++j) sorted_weights[i * n + j] = weights[i * n + order[j]];
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) sorted_gram[i * n + j] = gram[order[i] * n + order[j]];
  options.act_order = false;
  QuantizedLayer layer = quantize_gptq(sorted_weights, sorted_gram, rows, columns, options, name);
  layer.weight.position.resize(n);
  for (std::size_t j = 0; j < n; ++j) layer.weight.position[order[j]] = static_cast<std::uint32_t>(j);
  return layer;
}

}  // namespace

GptqOptions magr_gptq_options(std::uint32_t bits, int group_size, bool symmetric) {
  GptqOptions options{.bits = bits, .group_size = group_size, .symmetric = symmetric};
  options.sweeps = bits == 2 ? 30 : 1;
  options.magr_iterations = 40;
  return options;
}

QuantizedLayer quantize_gptq(std::span<const float> weights, std::span<const double> gram, std::uint32_t rows,
                             std::uint32_t columns, const GptqOptions& options, std::string_view name) {
  const std::uint32_t group_size = checked_group_size(columns, options.bits, options.group_size, name);
  check_layer(weights, gram, rows, columns, name);
  if (options.act_order && !options.static_groups)
    return in_activation_order(weights, gram, rows, columns, options, name);
  const std::vector<double> original(weights.begin(), weights.end());
  const std::vector<double> start =
      options.magr_iterations > 0 ? smoothed(weights, gram, rows, columns, group_size, options) : original;
  GptqResult result = gptq(start, gram, rows, columns, options, [&](std::span<const double> group) {
    return grid_as_stored(group, options.bits, options.symmetric);
  });
  if (options.sweeps > 0)
    coordinate_descent(result.quantized, original, gram, options.sweeps, options.sweep_damping);
  return {packed(result.quantized, options.symmetric, name), result.damping};
}

double relative_output_error(std::span<const float> weights, const QuantizedMatrix& quantized,
                             std::span<const double> gram) {
  using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const std::size_t n = quantized.columns;
  const Eigen::Map<const RowMatrix> g(gram.data(), quantized.columns, quantized.columns);
  constexpr std::size_t block_rows = 32;
  struct Sums {
    double error = 0;
    double output = 0;
  };
  std::vector<Sums> sums((quantized.rows + block_rows - 1) / block_rows);
  parallel_for(sums.size(), [&](std::size_t block) {
    const std::size_t first = block * block_rows;
    const std::size_t count = std::min<std::size_t>(block_rows, quantized.rows - first);
    RowMatrix w(count, n);
    RowMatrix e(count, n);
    for (std::size_t i = 0; i < count * n; ++i) {
      w.data()[i] = weights[first * n + i];
      e.data()[i] = w.data()[i] - quantized.weight(static_cast<std::uint32_t>(first + i / n),
                                                   static_cast<std::uint32_t>(i % n));
    }
    sums[block] = {(e * g).cwiseProduct(e).sum(), (w * g).cwiseProduct(w).sum()};
  });
  Sums total;
  for (const Sums& s : sums) total = {total.error + s.error, total.output + s.output};
  return total.output > 0 ? std::max(0.0, total.error / total.output) : 0.0;
}

}  // namespace walsh

#include "methods/qwha_recode.h"

#include <gtest/gtest.h>

#include <Eigen/LU>
#include <algorithm>
#include <numeric>
#include <vector>

#include "base/philox.h"
#include "ops/hadamard_reference.h"
#include "quantize/rtn.h"
#include "tensor/packing.h"

namespace walsh {
namespace {

/// A layer [rows, columns], rounded to nearest in groups of 8, with inputs that depend on one another.
struct Layer {
  std::uint32_t rows = 6, columns = 24;
  std::vector<float> weights;
  std::vector<double> gram;
  QuantizedMatrix base;

  explicit Layer(std::uint32_t bits) {
    Philox random(columns + bits);
    for (std::uint32_t i = 0; i < rows * columns; ++i) weights.push_back(random.normal());
    gram.assign(std::size_t{columns} * columns, 0);
    for (int token = 0; token < 60; ++token) {
      std::vector<double> x(columns);
      const double common = random.normal();
      for (double& value : x) value = random.normal() + common + 0.3;
      for (std::size_t a = 0; a < columns; ++a)
        for (std::size_t b = 0; b < columns; ++b) gram[a * columns + b] += x[a] * x[b];
    }
    base = quantize_rtn(weights, rows, columns, bits, 8, false, "layer");
  }

  QwhaSpectra spectra(const QwhaOptions& options) const {
    std::vector<double> delta(weights.begin(), weights.end());
    for (std::uint32_t i = 0; i < rows; ++i)
      for (std::uint32_t j = 0; j < columns; ++j) delta[i * columns + j] -= base.weight(i, j);
    return qwha_spectra(std::span<const double>(delta), std::span<const double>(gram), rows, columns,
                        options.damping, options.hadamard);
  }

  /// The least error of row i with values on `places`, by elimination: e·G·eᵀ − T[S]·Ĝ[S,S]⁻¹·T[S].
  static double least_error(const QwhaSpectra& s, std::size_t i, std::span<const std::uint16_t> places) {
    const auto k = static_cast<Eigen::Index>(places.size());
    Eigen::MatrixXd gram(k, k);
    Eigen::VectorXd target(k);
    for (Eigen::Index a = 0; a < k; ++a) {
      const std::size_t place = places[static_cast<std::size_t>(a)];
      target[a] = s.target[i * s.columns + place];
      for (Eigen::Index b = 0; b < k; ++b)
        gram(a, b) = s.gram[place * s.columns + places[static_cast<std::size_t>(b)]];
    }
    return s.error[i] - target.dot(gram.fullPivLu().solve(target));
  }

  void set_code(std::uint32_t row, std::uint32_t column, std::uint32_t code) {
    const std::size_t words = words_per_row(columns, base.bits);
    const std::span stored(base.codes.data() + row * words, words);
    std::vector<std::uint8_t> codes(columns);
    unpack_codes(stored, base.bits, codes);
    codes[column] = static_cast<std::uint8_t>(code);
    pack_codes(codes, base.bits, stored);
  }
};

QwhaCoefficients some_places(const Layer& layer, const QwhaOptions& options) {
  const QwhaSpectra spectra = layer.spectra(options);
  return qwha_fit(spectra, std::vector<std::uint32_t>{0, 1, 3, 4, 5, 6}, options).coefficients;
}

std::span<const std::uint16_t> places_of(const QwhaCoefficients& f, std::size_t row) {
  return std::span(f.col).subspan(f.row_ptr[row], f.row_ptr[row + 1] - f.row_ptr[row]);
}

// Every other value of every code leaves more error, once the adapter's values are the best for it.
TEST(QwhaRecode, NoCodeAloneCanBeChosenBetter) {
  for (const char* transform : {"transform=hadamard", "transform=none"})
    for (const std::uint32_t bits : {2u, 3u, 4u}) {
      SCOPED_TRACE(transform + std::to_string(bits));
      const QwhaOptions options = parse_qwha_options({transform});
      Layer layer(bits);
      const QwhaCoefficients places = some_places(layer, options);
      const QwhaSpectra before = layer.spectra(options);
      const std::vector<std::uint32_t> grid = layer.base.grid;
      qwha_recode(layer.base, before, layer.gram, places, options, 64);
      const QwhaSpectra after = layer.spectra(options);
      EXPECT_EQ(layer.base.grid, grid);
      double gained = 0;
      for (std::uint32_t i = 0; i < layer.rows; ++i) {
        const double error = Layer::least_error(after, i, places_of(places, i));
        const double old = Layer::least_error(before, i, places_of(places, i));
        EXPECT_LE(error, old * (1 + 1e-9));
        gained += old - error;
      }
      EXPECT_GT(gained, 0);
      for (std::uint32_t i = 0; i < layer.rows; ++i) {
        const double error = Layer::least_error(after, i, places_of(places, i));
        for (std::uint32_t j = 0; j < layer.columns; ++j) {
          const std::uint32_t chosen = layer.base.code(i, j);
          for (std::uint32_t code = 0; code < (1u << bits); ++code) {
            layer.set_code(i, j, code);
            EXPECT_GE(Layer::least_error(layer.spectra(options), i, places_of(places, i)), error * (1 - 1e-9))
                << i << ", " << j << ": " << code << " for " << chosen;
          }
          layer.set_code(i, j, chosen);
        }
      }
    }
}

// Without damping nothing says what such a code should be.
TEST(QwhaRecode, CodesOfInputsThatAreAlwaysZeroStay) {
  const QwhaOptions options = parse_qwha_options({"transform=none", "damping=0"});
  for (const std::uint32_t dead : {1u, 24u}) {
    Layer layer(3);
    for (std::uint32_t a = 0; a < dead; ++a)
      for (std::uint32_t b = 0; b < layer.columns; ++b)
        layer.gram[a * layer.columns + b] = layer.gram[b * layer.columns + a] = 0;
    const QuantizedMatrix before = layer.base;
    const QwhaCoefficients places = some_places(layer, options);
    qwha_recode(layer.base, layer.spectra(options), layer.gram, places, options, 4);
    for (std::uint32_t i = 0; i < layer.rows; ++i)
      for (std::uint32_t j = 0; j < dead; ++j)
        EXPECT_EQ(layer.base.code(i, j), before.code(i, j)) << i << ", " << j;
    EXPECT_EQ(layer.base.codes == before.codes, dead == layer.columns);
  }
}

// The order in which columns stand is the file's affair: the same weights come out.
TEST(QwhaRecode, StoredOrderChangesNothing) {
  const QwhaOptions options;
  Layer plain(3), shuffled(3);
  shuffled.base = quantize_rtn(plain.weights, plain.rows, plain.columns, 3, static_cast<int>(plain.columns),
                               false, "layer");
  plain.base = shuffled.base;  // one group, so that any order has the same grids
  std::vector<std::uint32_t> position(plain.columns);
  std::iota(position.begin(), position.end(), 0u);
  std::rotate(position.begin(), position.begin() + 7, position.end());
  shuffled.base.position = position;
  for (std::uint32_t i = 0; i < plain.rows; ++i)
    for (std::uint32_t j = 0; j < plain.columns; ++j)
      shuffled.set_code(i, position[j], plain.base.code(i, j));
  const QwhaCoefficients places = some_places(plain, options);
  const QwhaSpectra spectra = plain.spectra(options);
  const std::vector<float> before = plain.base.weights();
  qwha_recode(plain.base, spectra, plain.gram, places, options, 4);
  qwha_recode(shuffled.base, spectra, plain.gram, places, options, 4);
  EXPECT_NE(plain.base.weights(), before);
  EXPECT_EQ(shuffled.base.weights(), plain.base.weights());
}

}  // namespace
}  // namespace walsh

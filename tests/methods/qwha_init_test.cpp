#include "methods/qwha_init.h"

#include <gtest/gtest.h>

#include <Eigen/LU>
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/philox.h"
#include "ops/hadamard_reference.h"

namespace walsh {
namespace {

/// A layer: ΔW [m,n] like a quantiser's error, X [T,n] with correlated channels, a mean and a few outliers.
struct Layer {
  std::uint32_t m;
  std::uint32_t n;
  std::vector<float> delta;
  std::vector<double> x;
  std::vector<double> gram;

  std::size_t tokens() const { return x.size() / n; }
};

Layer make_layer(std::uint32_t m, std::uint32_t n, std::size_t tokens, std::uint64_t seed) {
  Philox random(seed);
  Layer layer{m, n, std::vector<float>(std::size_t{m} * n), std::vector<double>(tokens * n), {}};
  for (std::uint32_t i = 0; i < m; ++i) {
    const float size = std::exp(0.7f * random.normal());
    for (std::uint32_t j = 0; j < n; ++j) layer.delta[i * n + j] = 0.01f * size * (random.uniform() - 0.5f);
  }
  for (std::size_t t = 0; t < tokens; ++t) {
    const double common = random.normal();
    for (std::uint32_t j = 0; j < n; ++j)
      layer.x[t * n + j] = (j % 17 == 3 ? 8.0 : 1.0) * (random.normal() + 0.5 * common + 0.3);
  }
  layer.gram.assign(std::size_t{n} * n, 0.0);
  for (std::size_t t = 0; t < tokens; ++t)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) layer.gram[i * n + j] += layer.x[t * n + i] * layer.x[t * n + j];
  return layer;
}

QwhaStart start_of(const Layer& layer, std::uint64_t budget, const QwhaOptions& options) {
  return qwha_init(std::span<const float>(layer.delta), std::span<const double>(layer.gram), layer.m, layer.n,
                   budget, options);
}

QwhaOptions with(const std::string& assignment) { return parse_qwha_options({assignment}); }

/// ‖(ΔW − κ·F·H_rᵀ)·X‖² by rows, plus the damping's λ·tr(G)/n·‖ΔW − κ·F·H_rᵀ‖², from the layer's definition.
std::vector<double> measured_error(const Layer& layer, const QwhaCoefficients& f,
                                   const QwhaOptions& options) {
  const std::size_t n = layer.n;
  const Hadamard h(layer.n);
  double ridge = 0;
  for (std::size_t j = 0; j < n; ++j)
    ridge += options.damping * layer.gram[j * n + j] / static_cast<double>(n);
  std::vector<double> errors(layer.m);
  for (std::size_t i = 0; i < layer.m; ++i) {
    std::vector<double> row(n, 0.0);
    for (std::size_t l = f.row_ptr[i]; l < f.row_ptr[i + 1]; ++l) row[f.col[l]] = f.values[l];
    reference::wht_t(h, row.data(), 1, qwha_kappa(layer.m, layer.n, options.scale));
    for (std::size_t j = 0; j < n; ++j) {
      row[j] = layer.delta[i * n + j] - row[j];
      errors[i] += ridge * row[j] * row[j];
    }
    for (std::size_t t = 0; t < layer.tokens(); ++t) {
      double y = 0;
      for (std::size_t j = 0; j < n; ++j) y += row[j] * layer.x[t * n + j];
      errors[i] += y * y;
    }
  }
  return errors;
}

void expect_consistent(const QwhaCoefficients& f, std::uint64_t p) {
  ASSERT_EQ(f.row_ptr.size(), f.rows + 1);
  EXPECT_EQ(f.row_ptr.front(), 0u);
  EXPECT_EQ(f.row_ptr.back(), p);
  EXPECT_EQ(f.col.size(), p);
  EXPECT_EQ(f.values.size(), p);
  for (std::size_t i = 0; i < f.rows; ++i) {
    ASSERT_LE(f.row_ptr[i], f.row_ptr[i + 1]);
    for (std::size_t l = f.row_ptr[i]; l < f.row_ptr[i + 1]; ++l) {
      ASSERT_LT(f.col[l], f.columns);
      if (l > f.row_ptr[i]) {
        ASSERT_LT(f.col[l - 1], f.col[l]) << "row " << i;
      }
      ASSERT_TRUE(std::isfinite(f.values[l])) << "row " << i;
    }
  }
}

constexpr const char* all_selects[] = {"select=gram_diag", "select=magnitude", "select=omp",
                                       "select=omp4",      "select=ols",       "select=random"};

TEST(QwhaInit, MeasuredErrorIsTheReportedError) {
  for (const auto& [m, n] : {std::pair{20u, 24u}, {6u, 88u}, {3u, 336u}}) {
    const Layer layer = make_layer(m, n, 100, n);
    const std::uint64_t p = qwha_budget(2, m, n);
    for (const char* select : all_selects)
      for (const char* mode : {"refine=on", "refine=off", "init=zero"}) {
        SCOPED_TRACE(std::to_string(n) + " " + select + " " + mode);
        const QwhaOptions options = parse_qwha_options({select, mode, "damping=1e-3"});
        const QwhaStart start = start_of(layer, p, options);
        expect_consistent(start.coefficients, p);
        const std::vector<double> measured = measured_error(layer, start.coefficients, options);
        for (std::size_t i = 0; i < m; ++i)  // the stored values are fp32
          ASSERT_NEAR(start.row_error[i], measured[i], 1e-6 * start.row_error_before[i]) << "row " << i;
        double sum = 0;
        for (const double e : measured) sum += e;
        EXPECT_NEAR(start.error(), sum, 1e-6 * start.error_before());
      }
  }
}

TEST(QwhaInit, RefinedValuesAreTheLeastSquares) {  // any change of one value makes its row's error larger
  const Layer layer = make_layer(6, 40, 100, 7);
  const QwhaOptions options;
  const QwhaStart start = start_of(layer, qwha_budget(2, 6, 40), options);
  for (const std::size_t l : {0u, 5u, 30u, 60u})
    for (const float factor : {0.99f, 1.01f}) {
      QwhaCoefficients changed = start.coefficients;
      changed.values[l] *= factor;
      double sum = 0;
      for (const double e : measured_error(layer, changed, options)) sum += e;
      EXPECT_GT(sum, start.error());
    }
}

TEST(QwhaInit, RefinementAndPursuitLowerTheError) {
  const Layer layer = make_layer(48, 144, 400, 3);
  const std::uint64_t p = qwha_budget(6, 48, 144);
  const auto error = [&](const char* assignment) { return start_of(layer, p, with(assignment)).error(); };
  const double published = error("select=gram_diag");
  const double pursuit = error("select=omp");
  EXPECT_LT(published, error("refine=off"));
  EXPECT_LT(published, error("select=random"));
  EXPECT_LT(pursuit, error("select=omp4"));
  EXPECT_LT(error("select=omp4"), published);
  EXPECT_LT(error("select=ols"), 1.02 * pursuit);
  EXPECT_LT(error("select=random"), start_of(layer, p, with("init=zero")).error());
}

/// e0 − T[S]·Ĝ[S,S]⁻¹·T[S] of one row.
double best_error(const QwhaSpectra& spectra, std::size_t row, const std::vector<std::size_t>& support) {
  const auto k = static_cast<Eigen::Index>(support.size());
  Eigen::MatrixXd gram(k, k);
  Eigen::VectorXd target(k);
  for (Eigen::Index a = 0; a < k; ++a) {
    target[a] = spectra.target[row * spectra.columns + support[a]];
    for (Eigen::Index b = 0; b < k; ++b) gram(a, b) = spectra.gram[support[a] * spectra.columns + support[b]];
  }
  return spectra.error[row] - target.dot(gram.fullPivLu().solve(target));
}

/// `k` columns, each the best in its turn, found by solving for every candidate; and the error that they
/// leave.
std::pair<std::vector<std::size_t>, double> best_in_turn(const QwhaSpectra& spectra, std::size_t row,
                                                         std::uint32_t k) {
  std::vector<std::size_t> support;
  std::pair<double, std::size_t> best;
  while (support.size() < k) {
    best = {std::numeric_limits<double>::infinity(), 0};
    for (std::size_t j = 0; j < spectra.columns; ++j) {
      if (std::ranges::count(support, j)) continue;
      support.push_back(j);
      best = std::min(best, std::pair{best_error(spectra, row, support), j});
      support.pop_back();
    }
    support.push_back(best.second);
  }
  std::ranges::sort(support);
  return {support, best.first};
}

TEST(QwhaInit, LeastSquaresPursuitTakesTheBestColumnEachStep) {
  const Layer layer = make_layer(4, 24, 60, 5);
  const QwhaSpectra spectra = qwha_spectra(std::span<const float>(layer.delta),
                                           std::span<const double>(layer.gram), layer.m, layer.n, 1e-4);
  for (std::uint32_t k = 1; k <= 10; ++k) {
    const QwhaStart start = qwha_fit(spectra, std::vector<std::uint32_t>(layer.m, k), with("select=ols"));
    for (std::size_t i = 0; i < layer.m; ++i) {
      const auto [support, error] = best_in_turn(spectra, i, k);
      const auto first = start.coefficients.col.begin() + start.coefficients.row_ptr[i];
      ASSERT_EQ(std::vector<std::size_t>(first, first + k), support) << "row " << i;
      ASSERT_NEAR(start.row_error[i], error, 1e-9 * start.row_error_before[i]);
    }
  }
}

TEST(QwhaInit, BlocksOfTheLeastSquaresPursuitCostNothing) {  // on average; a row may come out better or worse
  const Layer layer = make_layer(12, 96, 300, 17);
  const QwhaSpectra spectra = qwha_spectra(std::span<const float>(layer.delta),
                                           std::span<const double>(layer.gram), layer.m, layer.n, 1e-4);
  constexpr std::uint32_t k = 44;  // the last blocks are of four
  const QwhaStart start = qwha_fit(spectra, std::vector<std::uint32_t>(layer.m, k), with("select=ols"));
  double in_turn = 0;
  for (std::size_t i = 0; i < layer.m; ++i) in_turn += best_in_turn(spectra, i, k).second;
  EXPECT_NEAR(start.error(), in_turn, 0.01 * in_turn);
}

TEST(QwhaInit, RowsOfABlockShareTheirPlaces) {
  const Layer layer = make_layer(22, 96, 300, 31);  // blocks of 8, 8 and 6
  const std::uint64_t p = 22 * 20 + 5;
  for (const char* select : all_selects) {
    SCOPED_TRACE(select);
    const QwhaStart start = start_of(layer, p, parse_qwha_options({select, "block_rows=8"}));
    const QwhaCoefficients& f = start.coefficients;
    expect_consistent(f, p);
    for (std::size_t first = 0; first < 22; first += 8) {
      const auto columns = [&](std::size_t row) {
        return std::set<std::uint16_t>(f.col.begin() + f.row_ptr[row], f.col.begin() + f.row_ptr[row + 1]);
      };
      const auto all = columns(first);  // the first row has the most
      for (std::size_t row = first; row < std::min<std::size_t>(first + 8, 22); ++row) {
        EXPECT_LE(all.size() - columns(row).size(), 1u);
        EXPECT_TRUE(std::ranges::includes(all, columns(row))) << row;
      }
    }
  }
  const auto left = [&](const char* rows) { return start_of(layer, p, parse_qwha_options({rows})).error(); };
  EXPECT_LT(left("block_rows=1"), left("block_rows=8"));
  EXPECT_LT(left("block_rows=8"), start_of(layer, p, with("select=random")).error());
}

TEST(QwhaInit, CountedMagnitudesAreTheLargestOfTheLayer) {
  const Layer layer = make_layer(12, 40, 100, 19);
  const QwhaSpectra spectra = qwha_spectra(std::span<const float>(layer.delta),
                                           std::span<const double>(layer.gram), layer.m, layer.n, 1e-4);
  const QwhaOptions options = parse_qwha_options({"select=magnitude", "budget_norm=magnitude", "floor=0"});
  const QwhaStart start = qwha_fit(spectra, qwha_shares(spectra, 120, options), options);
  ASSERT_EQ(start.coefficients.col.size(), 120u);
  std::vector<double> chosen, all;
  for (std::size_t i = 0; i < layer.m; ++i)
    for (std::uint32_t l = start.coefficients.row_ptr[i]; l < start.coefficients.row_ptr[i + 1]; ++l)
      chosen.push_back(std::abs(spectra.spectrum[i * layer.n + start.coefficients.col[l]]));
  for (const double d : spectra.spectrum) all.push_back(std::abs(d));
  std::ranges::sort(chosen, std::ranges::greater());
  std::ranges::sort(all, std::ranges::greater());
  all.resize(120);
  EXPECT_EQ(chosen, all);
}

TEST(QwhaInit, FullBudgetRemovesTheError) {
  const Layer layer = make_layer(5, 24, 60, 11);
  for (const char* select : all_selects) {
    const QwhaStart start = start_of(layer, 5 * 24, with(select));
    expect_consistent(start.coefficients, 5 * 24);
    EXPECT_LT(start.error(), 1e-10 * start.error_before()) << select;
  }
  EXPECT_EQ(start_of(layer, 1u << 20, with("select=omp")).coefficients.col.size(), 5u * 24u);  // cut to m · n
}

TEST(QwhaInit, ZeroChannelsAndSingularGramMatricesStayFinite) {
  Layer layer = make_layer(8, 40, 12, 13);  // 12 tokens: rank 12 of 40
  std::fill_n(layer.delta.begin() + 2 * 40, 40, 0.0f);
  for (std::size_t j = 0; j < 40; ++j)  // a dead input channel, and one that repeats its neighbour
    for (const std::size_t channel : {4u, 5u}) {
      layer.gram[channel * 40 + j] = channel == 4 ? 0.0 : layer.gram[6 * 40 + j];
      layer.gram[j * 40 + channel] = channel == 4 ? 0.0 : layer.gram[j * 40 + 6];
    }
  layer.gram[5 * 40 + 5] = layer.gram[6 * 40 + 6];
  for (const char* select : all_selects)
    for (const char* damping : {"damping=0", "damping=1e-4"}) {
      SCOPED_TRACE(std::string(select) + " " + damping);
      const QwhaStart start = start_of(layer, 160, parse_qwha_options({select, damping}));
      expect_consistent(start.coefficients, 160);
      for (std::size_t i = 0; i < 8; ++i) {
        EXPECT_TRUE(std::isfinite(start.row_error[i]));
        EXPECT_LE(start.row_error[i], start.row_error_before[i] * (1 + 1e-9));
        EXPECT_GE(start.coefficients.row_ptr[i + 1] - start.coefficients.row_ptr[i], 2u);
      }
      for (std::size_t l = start.coefficients.row_ptr[2]; l < start.coefficients.row_ptr[3]; ++l)
        EXPECT_EQ(start.coefficients.values[l], 0.0f);
    }
}

// One token, one coefficient a channel: the best single column, and never worse than none.
TEST(QwhaInit, RankOneGramMatricesAndSingleCoefficients) {
  for (const std::uint32_t n : {4u, 24u, 40u}) {
    const Layer layer = make_layer(6, n, 1, 31 + n);
    for (const char* select : all_selects) {
      QwhaOptions options = with(select);
      const QwhaStart start = start_of(layer, 6, options);
      ASSERT_EQ(start.coefficients.values.size(), 6u) << select;
      for (std::size_t i = 0; i < 6; ++i) {
        EXPECT_EQ(start.coefficients.row_ptr[i + 1] - start.coefficients.row_ptr[i], 1u) << select;
        EXPECT_TRUE(std::isfinite(start.coefficients.values[i])) << select;
        EXPECT_LE(start.row_error[i], start.row_error_before[i] * (1 + 1e-9)) << select;
      }
      const auto measured = measured_error(layer, start.coefficients, options);
      for (std::size_t i = 0; i < 6; ++i)
        EXPECT_NEAR(measured[i], start.row_error[i], 1e-5 * start.row_error_before[i]) << select;
      // One atom reaches the output of a single token: pursuit finds one whose damping is little.
      if (std::string(select) == "select=omp" || std::string(select) == "select=ols") {
        EXPECT_LT(start.error(), 0.05 * start.error_before()) << select;
      }
    }
  }
}

TEST(QwhaInit, BudgetsBeyondTheWidthAreCutOrRefused) {
  const Layer layer = make_layer(3, 8, 20, 37);
  const QwhaStart all = start_of(layer, 1000, with("select=omp"));
  EXPECT_EQ(all.coefficients.values.size(), 24u);
  const QwhaSpectra spectra =
      qwha_spectra(std::span<const float>(layer.delta), std::span<const double>(layer.gram), 3, 8, 1e-4);
  EXPECT_THROW(qwha_fit(spectra, std::vector<std::uint32_t>{9, 1, 1}, {}), Error);
  EXPECT_THROW(qwha_budget(3, 3, 8), Error);
}

TEST(QwhaInit, NothingToCorrectGivesEqualSharesOfZeros) {
  Layer layer = make_layer(4, 16, 20, 17);
  std::ranges::fill(layer.delta, 0.0f);
  std::ranges::fill(layer.gram, 0.0);
  for (const char* select : all_selects) {
    const QwhaStart start = start_of(layer, 20, with(select));
    expect_consistent(start.coefficients, 20);
    EXPECT_EQ(start.coefficients.row_ptr, (std::vector<std::uint32_t>{0, 5, 10, 15, 20}));
    EXPECT_EQ(start.error(), 0.0);
    for (const float value : start.coefficients.values) EXPECT_EQ(value, 0.0f);
  }
}

TEST(QwhaInit, RefusesWhatIsNotFiniteOrHasNoTransform) {
  const Layer good = make_layer(4, 16, 20, 19);
  Layer bad = good;
  bad.delta[18] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(start_of(bad, 20, {}), Error);
  bad = good;
  bad.gram[3] = std::numeric_limits<double>::infinity();
  EXPECT_THROW(start_of(bad, 20, {}), Error);
  const std::vector<float> delta(4 * 100);
  const std::vector<float> gram(100 * 100);
  EXPECT_THROW(qwha_spectra(std::span(delta), std::span(gram), 4, 100, 0.0),
               Error);  // 100 = 4 · 25: no layout
  EXPECT_THROW(qwha_spectra(std::span(delta), std::span(gram), 8, 100, 0.0), Error);  // sizes
  const QwhaSpectra spectra =
      qwha_spectra(std::span<const float>(good.delta), std::span<const double>(good.gram), 4, 16, 1e-4);
  EXPECT_THROW(qwha_fit(spectra, std::vector<std::uint32_t>{1, 2, 3}, {}), Error);
  EXPECT_THROW(qwha_fit(spectra, std::vector<std::uint32_t>{1, 2, 3, 17}, {}), Error);
}

TEST(QwhaInit, SameInputGivesTheSameBits) {
  const Layer layer = make_layer(64, 96, 120, 23);
  for (const char* select : all_selects) {
    QwhaOptions options = with(select);
    options.seed = 5;
    const QwhaStart first = start_of(layer, 2000, options);
    const QwhaStart second = start_of(layer, 2000, options);
    EXPECT_EQ(first.coefficients.col, second.coefficients.col);
    EXPECT_EQ(first.coefficients.values, second.coefficients.values);
    EXPECT_EQ(first.row_error, second.row_error);
  }
}

TEST(QwhaInit, RandomSupportsFollowTheSeedAndCoverAllColumns) {
  const Layer layer = make_layer(64, 96, 120, 29);
  QwhaOptions options = parse_qwha_options({"select=random", "init=zero", "temperature=0"});
  std::vector<std::uint32_t> hits(96);
  options.seed = 1;
  const QwhaStart first = start_of(layer, 64 * 24, options);
  for (const std::uint16_t column : first.coefficients.col) ++hits[column];
  EXPECT_GT(*std::ranges::min_element(hits), 3u);  // 16 expected
  EXPECT_LT(*std::ranges::max_element(hits), 32u);
  options.seed = 2;
  EXPECT_NE(start_of(layer, 64 * 24, options).coefficients.col, first.coefficients.col);
}

}  // namespace
}  // namespace walsh

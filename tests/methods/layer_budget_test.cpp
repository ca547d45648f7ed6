#include "methods/layer_budget.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace walsh {
namespace {

double error_at(const LayerCurve& l, double p) {
  return l.error_before * std::pow(l.error / l.error_before, p / l.coefficients);
}

std::uint64_t total(const std::vector<std::uint32_t>& shares) {
  return std::accumulate(shares.begin(), shares.end(), std::uint64_t{0});
}

TEST(LayerBudget, EqualLayersGetEqualShares) {
  const std::vector<LayerCurve> layers(5, {10000, 400, 0.2, 0.1});
  for (const std::uint32_t share : spread_budget(layers)) EXPECT_EQ(share, 400u);
}

TEST(LayerBudget, SpendsTheSameTotalWithTheSmallestSumOfErrors) {
  const std::vector<LayerCurve> layers = {
      {10000, 400, 0.20, 0.10}, {20000, 800, 0.02, 0.015}, {10000, 400, 0.08, 0.02}, {40000, 1600, 0.3, 0.2}};
  const auto shares = spread_budget(layers);
  EXPECT_EQ(total(shares), 3200u);
  double sum = 0, uniform = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    sum += error_at(layers[i], shares[i]);
    uniform += layers[i].error;
    EXPECT_GE(shares[i], layers[i].coefficients / 4);
    EXPECT_LE(shares[i], layers[i].coefficients * 4);
  }
  EXPECT_LT(sum, uniform);
  // No exchange between two layers that are free to move lowers it.
  for (std::size_t a = 0; a < layers.size(); ++a)
    for (std::size_t b = 0; b < layers.size(); ++b) {
      if (shares[a] < layers[a].coefficients / 4 + 8 || shares[b] + 8 > 4 * layers[b].coefficients) continue;
      const double moved = sum - error_at(layers[a], shares[a]) - error_at(layers[b], shares[b]) +
                           error_at(layers[a], shares[a] - 8.0) + error_at(layers[b], shares[b] + 8.0);
      EXPECT_GE(moved, sum - 1e-12) << a << " to " << b;
    }
}

TEST(LayerBudget, LayersWithoutErrorGiveTheirSharesAway) {
  const std::vector<LayerCurve> layers = {{10000, 400, 0, 0}, {10000, 400, 0.2, 0.1}, {1000, 400, 0.2, 0.1}};
  const auto shares = spread_budget(layers);
  EXPECT_EQ(total(shares), 1200u);
  EXPECT_LE(shares[0], 102u);  // its least, and what rounding left
  EXPECT_LE(shares[2], 500u);  // half its weights
  const std::vector<LayerCurve> none(3, {100, 4, 0, 0});
  EXPECT_LE(total(spread_budget(none)), 48u);
}

}  // namespace
}  // namespace walsh

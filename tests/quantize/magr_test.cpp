#include "quantize/magr.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/philox.h"

namespace walsh {
namespace {

TEST(Magr, ProximalMapRemovesAlphaFromTheLargest) {
  Philox random(1);
  for (int trial = 0; trial < 100; ++trial) {
    std::vector<double> v(1 + random.below(40));
    for (double& value : v) value = random.normal();
    const double alpha = 0.01 * std::exp(3.0 * random.normal());
    std::vector<double> p = v;
    prox_largest(std::span(p), alpha);
    double removed = 0;
    double sum = 0;
    double largest = 0;
    for (std::size_t i = 0; i < v.size(); ++i) {
      removed += std::abs(v[i] - p[i]);
      sum += std::abs(v[i]);
      largest = std::max(largest, std::abs(p[i]));
      EXPECT_GE(v[i] * p[i], 0.0);
    }
    EXPECT_NEAR(removed, std::min(alpha, sum), 1e-12 * std::max(1.0, alpha));
    for (std::size_t i = 0; i < v.size(); ++i)
      if (std::abs(v[i]) <= largest) {
        EXPECT_EQ(p[i], v[i]);
      }
  }
}

TEST(Magr, ProximalMapOfTiesZerosAndNothing) {
  std::vector<double> ties = {1.0, 1.0, -1.0, 0.5};
  prox_largest(std::span(ties), 0.3);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(std::abs(ties[i]), 0.9, 1e-15);
  EXPECT_EQ(ties[3], 0.5);
  std::vector<float> zeros(4);
  prox_largest(std::span(zeros), 1e-5f);
  EXPECT_EQ(zeros, std::vector<float>(4));
  std::vector<float> small = {1e-6f, -1e-6f};
  prox_largest(std::span(small), 1e-5f);
  EXPECT_EQ(small, std::vector<float>(2));
  std::vector<double> kept = {3.0, -2.0};
  prox_largest(std::span(kept), 0.0);
  EXPECT_EQ(kept, (std::vector<double>{3.0, -2.0}));
}

TEST(Magr, LargestEigenvalueOfAKnownMatrix) {
  constexpr std::uint32_t n = 50;  // I + 3·aaᵀ/aᵀa: eigenvalues 1 and 4
  std::vector<double> a(n);
  double square = 0;
  for (std::uint32_t i = 0; i < n; ++i) square += (a[i] = std::sin(1.0 + i)) * a[i];
  std::vector<double> matrix(n * n);
  for (std::uint32_t i = 0; i < n; ++i)
    for (std::uint32_t j = 0; j < n; ++j)
      matrix[i * n + j] = 3.0 * a[i] * a[j] / square + (i == j ? 1.0 : 0.0);
  EXPECT_NEAR(largest_eigenvalue(std::span<const double>(matrix), n), 4.0, 1e-12);
  const std::vector<double> zero(n * n);
  EXPECT_EQ(largest_eigenvalue(std::span<const double>(zero), n), 0.0);
}

TEST(Magr, ShrinksTheLargestWeightsAndKeepsOutputs) {
  constexpr std::uint32_t m = 20;
  constexpr std::uint32_t n = 64;
  Philox random(2);
  std::vector<float> w(m * n);
  for (float& value : w) value = 0.05f * random.normal();
  for (std::uint32_t i = 0; i < m; ++i) w[i * n + 3] = 0.6f;
  std::vector<float> gram(n * n);  // 24 tokens of 64 channels: 40 directions are free
  for (int t = 0; t < 24; ++t) {
    std::vector<float> x(n);
    for (float& value : x) value = random.normal();
    for (std::uint32_t i = 0; i < n; ++i)
      for (std::uint32_t j = 0; j < n; ++j) gram[i * n + j] += x[i] * x[j];
  }
  const std::vector<float> v =
      magr(std::span<const float>(w), std::span<const float>(gram), m, n, 16u, 1e-3f, 400);
  double output = 0;
  double change = 0;
  for (std::uint32_t i = 0; i < m; ++i) {
    EXPECT_LT(std::abs(v[i * n + 3]), 0.6f);
    for (std::uint32_t j = 0; j < n; ++j)
      for (std::uint32_t k = 0; k < n; ++k) {
        output += w[i * n + j] * gram[j * n + k] * w[i * n + k];
        change += (v[i * n + j] - w[i * n + j]) * gram[j * n + k] * (v[i * n + k] - w[i * n + k]);
      }
  }
  EXPECT_LT(change, 1e-3 * output);
}

/// ½·tr((V − W)·Gn·(V − W)ᵀ) + α·Σ max|V|
double objective(const std::vector<double>& v, const std::vector<double>& w, const std::vector<double>& gram,
                 std::size_t n, std::size_t group, double alpha) {
  const double scale = largest_eigenvalue(std::span<const double>(gram), static_cast<std::uint32_t>(n));
  double sum = 0;
  for (std::size_t row = 0; row < v.size(); row += n) {
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t k = 0; k < n; ++k)
        sum += 0.5 * (v[row + j] - w[row + j]) * gram[j * n + k] / scale * (v[row + k] - w[row + k]);
    for (std::size_t first = 0; first < n; first += group) {
      double largest = 0;
      for (std::size_t j = 0; j < group; ++j) largest = std::max(largest, std::abs(v[row + first + j]));
      sum += alpha * largest;
    }
  }
  return sum;
}

// The pipeline's 40 steps with momentum stand for the 200 plain ones of the published code.
TEST(Magr, MomentumGetsAsFarInFewSteps) {
  constexpr std::uint32_t m = 8, n = 96;
  Philox random(4);
  std::vector<double> w(m * n), gram(n * n);
  for (double& value : w) value = 0.05 * random.normal() * (random.below(40) == 0 ? 5.0 : 1.0);
  for (int t = 0; t < 150; ++t) {  // correlated inputs, some much larger than the rest
    std::vector<double> x(n);
    const double common = random.normal();
    for (std::uint32_t j = 0; j < n; ++j) x[j] = (j % 17 == 3 ? 8.0 : 1.0) * (random.normal() + common);
    for (std::uint32_t i = 0; i < n; ++i)
      for (std::uint32_t j = 0; j < n; ++j) gram[i * n + j] += x[i] * x[j];
  }
  for (const double alpha : {1e-5, 1e-4, 1e-3}) {
    const std::span<const double> ws(w), gs(gram);
    const double plain = objective(magr(ws, gs, m, n, 32u, alpha, 200), w, gram, n, 32, alpha);
    const double fast = objective(magr(ws, gs, m, n, 32u, alpha, 40, true), w, gram, n, 32, alpha);
    const double start = objective(w, w, gram, n, 32, alpha);
    EXPECT_LT(plain, start);
    EXPECT_LT(fast, plain) << alpha;
  }
}

}  // namespace
}  // namespace walsh

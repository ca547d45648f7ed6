#include "quantize/gptq.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/philox.h"
#include "quantize/rtn.h"

namespace walsh {
namespace {

struct Layer {
  std::uint32_t m;
  std::uint32_t n;
  std::vector<float> weights;
  std::vector<double> gram;
};

/// Weights with a few outliers; inputs that are correlated and of very different sizes.
Layer make_layer(std::uint32_t m, std::uint32_t n, std::size_t tokens, std::uint64_t seed) {
  Philox random(seed);
  Layer layer{m, n, std::vector<float>(std::size_t{m} * n), std::vector<double>(std::size_t{n} * n)};
  for (float& w : layer.weights) w = 0.05f * random.normal() * (random.below(50) == 0 ? 4.0f : 1.0f);
  std::vector<double> x(n);
  for (std::size_t t = 0; t < tokens; ++t) {
    const double common = random.normal();
    for (std::uint32_t j = 0; j < n; ++j) x[j] = (j % 13 == 5 ? 6.0 : 1.0) * (random.normal() + common);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) layer.gram[i * n + j] += x[i] * x[j];
  }
  return layer;
}

QuantizedMatrix quantized(const Layer& layer, const GptqOptions& options) {
  return quantize_gptq(layer.weights, layer.gram, layer.m, layer.n, options, "w").weight;
}

double error_of(const Layer& layer, const QuantizedMatrix& q) {
  return relative_output_error(layer.weights, q, layer.gram);
}

/// Σ e² as the proxy loss defines it, from the codes.
double damped_error(const Layer& layer, const GroupCodes& q, double damping) {
  const std::size_t n = layer.n;
  double mean = 0;
  for (std::size_t j = 0; j < n; ++j) mean += layer.gram[j * n + j] / static_cast<double>(n);
  double sum = 0;
  for (std::size_t i = 0; i < layer.m; ++i)
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t k = 0; k < n; ++k)
        sum += (layer.weights[i * n + j] - q.weight(i, j)) * (layer.weights[i * n + k] - q.weight(i, k)) *
               (layer.gram[j * n + k] + (j == k ? damping * mean : 0.0));
  return sum;
}

TEST(Gptq, ProxyLossIsTheDampedOutputError) {
  const Layer layer = make_layer(7, 160, 300, 1);  // two blocks of columns, one of them partial
  const std::vector<double> weights(layer.weights.begin(), layer.weights.end());
  for (const bool static_groups : {true, false})
    for (const int group_size : {-1, 40, 32}) {
      GptqOptions options{.bits = 3, .group_size = group_size, .static_groups = static_groups};
      const GptqResult result = gptq(weights, layer.gram, 7, 160, options,
                                     [](std::span<const double> group) { return asymmetric_grid(group, 3); });
      const double expected = damped_error(layer, result.quantized, options.damping);
      EXPECT_NEAR(result.proxy_loss, expected, 1e-9 * expected) << group_size;
    }
}

TEST(Gptq, LowersTheOutputErrorOfRoundToNearest) {
  const Layer layer = make_layer(40, 128, 400, 2);
  for (const std::uint32_t bits : {2u, 3u, 4u})
    for (const bool symmetric : {false, true}) {
      const double nearest = error_of(layer, quantize_rtn(layer.weights, 40, 128, bits, 32, symmetric, "w"));
      const double spread =
          error_of(layer, quantized(layer, {.bits = bits, .group_size = 32, .symmetric = symmetric}));
      EXPECT_LT(spread, 0.8 * nearest) << bits << " bits, symmetric " << symmetric;
      EXPECT_GT(spread, 0.0);
    }
}

TEST(Gptq, IsRoundToNearestWhereInputsAreUncorrelated) {
  Layer layer = make_layer(9, 64, 1, 3);
  std::ranges::fill(layer.gram, 0.0);
  for (std::size_t j = 0; j < 64; ++j) layer.gram[j * 65] = 1.0 + static_cast<double>(j);
  for (const bool symmetric : {false, true}) {
    const QuantizedMatrix q =
        quantized(layer, {.bits = 4, .group_size = 16, .symmetric = symmetric, .sweeps = 2});
    const QuantizedMatrix nearest = quantize_rtn(layer.weights, 9, 64, 4, 16, symmetric, "w");
    EXPECT_EQ(q.grid, nearest.grid);
    EXPECT_EQ(q.codes, nearest.codes);
    EXPECT_EQ(q.symmetric, symmetric);
  }
}

TEST(Gptq, CoordinateDescentNeverRaisesItsObjective) {
  const Layer layer = make_layer(24, 96, 200, 4);
  const std::vector<double> weights(layer.weights.begin(), layer.weights.end());
  const GptqOptions options{.bits = 2, .group_size = 32};
  GptqResult result = gptq(weights, layer.gram, 24, 96, options,
                           [](std::span<const double> group) { return asymmetric_grid(group, 2); });
  const std::vector<double> objective = coordinate_descent(result.quantized, weights, layer.gram, 30, 0.75);
  ASSERT_EQ(objective.size(), 31u);
  for (std::size_t i = 1; i < objective.size(); ++i) EXPECT_LE(objective[i], objective[i - 1] * (1 + 1e-12));
  EXPECT_LT(objective.back(), 0.9 * objective.front());
  EXPECT_NEAR(objective.back(), damped_error(layer, result.quantized, 0.75), 1e-9 * objective.back());
}

TEST(Gptq, DeadInputsAreQuantisedAsZero) {
  Layer layer = make_layer(6, 32, 100, 5);
  for (std::size_t j = 0; j < 32; ++j) layer.gram[7 * 32 + j] = layer.gram[j * 32 + 7] = 0.0;
  const QuantizedMatrix q = quantized(layer, {.bits = 4, .group_size = 16});
  for (std::uint32_t i = 0; i < 6; ++i) EXPECT_EQ(q.weight(i, 7), 0.0f);

  std::ranges::fill(layer.gram, 0.0);  // no input at all, as for an expert that no token reached
  const QuantizedMatrix none = quantized(layer, magr_gptq_options(4, 16, false));
  EXPECT_EQ(error_of(layer, none), 0.0);
}

TEST(Gptq, DampingGrowsUntilAGramMatrixFactors) {
  Layer layer = make_layer(3, 16, 40, 6);
  const QuantizedLayer regular = quantize_gptq(layer.weights, layer.gram, 3, 16, {.group_size = 16}, "w");
  EXPECT_EQ(regular.damping, 0.01);
  for (std::size_t j = 1; j < 16;
       ++j) {  // rounding of a large fp32 sum can leave a matrix slightly indefinite
    layer.gram[j] *= 1.5;
    layer.gram[j * 16] *= 1.5;
  }
  const QuantizedLayer raised = quantize_gptq(layer.weights, layer.gram, 3, 16, {.group_size = 16}, "w");
  EXPECT_GT(raised.damping, 0.01);
}

TEST(Gptq, MagrPipelineKeepsOutputsAtTwoBits) {
  const Layer layer = make_layer(32, 128, 400, 7);
  const double nearest = error_of(layer, quantize_rtn(layer.weights, 32, 128, 2, 64, false, "w"));
  GptqOptions options = magr_gptq_options(2, 64, false);
  EXPECT_EQ(options.sweeps, 30);
  EXPECT_EQ(options.magr_iterations, 40);
  EXPECT_EQ(magr_gptq_options(4, 64, false).sweeps, 1);
  EXPECT_LT(error_of(layer, quantized(layer, options)), nearest);
}

// Inputs of very different sizes: their order decides which errors can still be made good.
TEST(Gptq, OrderOfActivationsHelpsWhereInputsDiffer) {
  Layer layer = make_layer(48, 128, 600, 11);
  for (std::size_t i = 0; i < 128; ++i)
    for (std::size_t j = 0; j < 128; ++j)
      layer.gram[i * 128 + j] *= (i % 32 == 31 ? 20.0 : 1.0) * (j % 32 == 31 ? 20.0 : 1.0);
  const GptqOptions plain{.bits = 3, .group_size = 32};
  GptqOptions ordered = plain, formed = plain;
  ordered.act_order = formed.act_order = true;
  formed.static_groups = false;
  const QuantizedMatrix in_place = quantized(layer, ordered), moved = quantized(layer, formed);
  EXPECT_TRUE(in_place.position.empty());
  EXPECT_EQ(in_place.grid, quantized(layer, plain).grid);
  EXPECT_LT(error_of(layer, in_place), error_of(layer, quantized(layer, plain)));
  // Groups formed on the way: the inputs with the largest diagonal are the first group.
  ASSERT_EQ(moved.position.size(), 128u);
  EXPECT_LT(moved.position[31], 32u);
  EXPECT_LT(moved.position[127], 32u);
  EXPECT_LT(error_of(layer, moved), error_of(layer, quantized(layer, plain)));
}

TEST(Gptq, DegenerateLayersAreRight) {
  // A Gram matrix of rank 1, a layer of zeros, a single row, one input.
  Layer layer = make_layer(5, 32, 1, 12);
  for (const std::uint32_t bits : {2u, 4u}) {
    const GptqOptions options = magr_gptq_options(bits, 16, false);
    const QuantizedMatrix q = quantized(layer, options);
    EXPECT_LT(error_of(layer, q), error_of(layer, quantize_rtn(layer.weights, 5, 32, bits, 16, false, "w")));
    std::ranges::fill(layer.weights, 0.0f);
    EXPECT_EQ(error_of(layer, quantized(layer, options)), 0.0);
    layer = make_layer(5, 32, 1, 12);
  }
  const Layer narrow{1, 1, {0.7f}, {3.0}};
  EXPECT_NEAR(quantized(narrow, {.bits = 4, .group_size = -1}).weight(0, 0), 0.7f, 1e-3f);
}

TEST(Gptq, SameInputGivesTheSameBits) {
  const Layer layer = make_layer(70, 96, 200, 8);
  const GptqOptions options = magr_gptq_options(3, 32, false);
  EXPECT_EQ(quantized(layer, options).codes, quantized(layer, options).codes);
}

TEST(Gptq, RefusesWhatIsNotFinite) {
  const Layer good = make_layer(4, 16, 40, 9);
  Layer bad = good;
  bad.weights[20] = std::numeric_limits<float>::infinity();
  EXPECT_THROW(quantized(bad, {.group_size = 16}), Error);
  bad = good;
  bad.gram[3] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(quantized(bad, {.group_size = 16}), Error);
  bad = good;
  bad.gram[17] = -1.0;
  EXPECT_THROW(quantized(bad, {.group_size = 16}), Error);
  EXPECT_THROW(quantized(good, {.group_size = 12}), Error);
  EXPECT_THROW(quantized(good, {.bits = 5, .group_size = 16}), Error);
}

}  // namespace
}  // namespace walsh

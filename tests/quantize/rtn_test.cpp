#include "quantize/rtn.h"

#include <cmath>
#include <limits>
#include <vector>

#include "base/philox.h"
#include "tests/support/scratch.h"

namespace walsh::test {
namespace {

std::vector<float> random_weights(std::size_t count, std::uint64_t seed) {
  Philox random(seed);
  std::vector<float> weights(count);
  for (float& weight : weights) weight = 0.05f * random.normal();
  return weights;
}

}  // namespace

TEST(rtn, every_weight_takes_the_nearest_value_of_its_stored_grid) {
  constexpr std::uint32_t rows = 5, columns = 96;
  const auto weights = random_weights(rows * columns, 1);
  for (const std::uint32_t bits : {2u, 3u, 4u, 8u}) {
    for (const int group_size : {-1, 32, 96}) {
      for (const bool symmetric : {false, true}) {
        const auto q = quantize_rtn(weights, rows, columns, bits, group_size, symmetric, "w");
        ASSERT_EQ(q.group_size, group_size == -1 ? columns : static_cast<std::uint32_t>(group_size));
        for (std::uint32_t i = 0; i < rows; ++i) {
          for (std::uint32_t j = 0; j < columns; ++j) {
            const float w = weights[i * columns + j];
            const std::uint32_t k = j / q.group_size;
            const float scale = q.scale(i, k);
            const auto zero = static_cast<float>(q.zero(i, k));
            if (symmetric) {
              ASSERT_EQ(q.zero(i, k), 1u << (bits - 1));
            }
            float nearest = std::numeric_limits<float>::infinity();
            for (std::uint32_t code = 0; code < 1u << bits; ++code)
              nearest = std::min(nearest, std::abs(scale * (static_cast<float>(code) - zero) - w));
            ASSERT_LE(std::abs(q.weight(i, j) - w), nearest * (1 + 1e-5f) + 1e-9f)
                << bits << " bits, group " << group_size << ", row " << i << ", column " << j;
            // Half a step; the rounded scale (a part in 2^11) may cut both ends of 2^bits steps.
            ASSERT_LE(std::abs(q.weight(i, j) - w),
                      (0.5f + std::ldexp(1.0f, static_cast<int>(bits) - 11)) * scale);
          }
        }
      }
    }
  }
}

TEST(rtn, a_group_without_negative_weights_keeps_its_largest) {
  const std::vector<float> weights = {0.1f, 0.2f, 0.3f, 0.8f};
  for (const bool symmetric : {false, true}) {
    const auto q = quantize_rtn(weights, 1, 4, 4, -1, symmetric, "w");
    EXPECT_NEAR(q.weight(0, 3), 0.8f, 0.51f * q.scale(0, 0));
  }
}

TEST(rtn, zero_and_tiny_groups) {
  std::vector<float> weights(64, 0.0f);
  weights[32] = 1e-30f;
  weights[33] = -1e-30f;
  for (const std::uint32_t bits : {2u, 3u, 4u, 8u}) {
    for (const bool symmetric : {false, true}) {
      const auto q = quantize_rtn(weights, 1, 64, bits, 32, symmetric, "w");
      EXPECT_EQ(q.zero(0, 0), 1u << (bits - 1));
      for (std::uint32_t j = 0; j < 64; ++j) EXPECT_EQ(q.weight(0, j), 0.0f);
      EXPECT_GE(q.scale(0, 1), 0x1p-14f);  // a normal half, whatever the weights
    }
  }
}

TEST(rtn, refusals) {
  std::vector<float> weights(64, 0.5f);
  const auto refusal = [&](std::uint32_t columns, std::uint32_t bits, int group_size) {
    return refusal_of(
        [&] { quantize_rtn(weights, 64 / columns, columns, bits, group_size, false, "layer.w"); });
  };
  EXPECT_EQ(refusal(32, 4, 16), "");
  EXPECT_TRUE(one_line_with(refusal(32, 4, 64), "group size 64 does not divide the input width 32"));
  EXPECT_TRUE(one_line_with(refusal(32, 4, 12), "layer.w"));
  EXPECT_TRUE(one_line_with(refusal(32, 4, 0), "group size 0"));
  EXPECT_TRUE(one_line_with(refusal(32, 4, -2), "group size -2"));
  EXPECT_TRUE(one_line_with(refusal(32, 5, 16), "5 bits"));
  weights[35] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(one_line_with(refusal(32, 4, 16), "weight [1, 3] is nan"));
  weights[35] = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(one_line_with(refusal(32, 4, 16), "layer.w: weight [1, 3] is inf"));
  weights[35] = 1e30f;
  EXPECT_TRUE(one_line_with(refusal(32, 4, 16), "too large for an fp16 scale"));
}

}  // namespace walsh::test

#include "ops/cross_entropy.h"

#include "ops/cross_entropy_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

using test::cast;

TEST(cross_entropy, reference_gradient) {
  const auto x = cast<double>(normal(3 * 7, 1));
  const std::vector<std::int32_t> targets = {4, -1, 0};
  const double scale = 0.25;
  std::vector<double> loss, gradient;
  reference::cross_entropy(loss, gradient, x, targets, scale);
  test::expect_gradient(
      x, gradient,
      [&](const auto& cx) {
        std::vector<test::Complex> closs, cgradient;
        reference::cross_entropy(closs, cgradient, cx, targets, test::Complex(scale));
        test::Complex sum = 0;
        for (const auto& value : closs) sum += value * scale;
        return sum;
      },
      "logits");
}

struct Case {
  std::uint64_t rows, vocabulary;
  float spread;  // standard deviation of the logits
};
class CrossEntropyShapes : public testing::TestWithParam<Case> {};

TEST_P(CrossEntropyShapes, device_agrees_with_reference) {
  const auto [rows, vocabulary, spread] = GetParam();
  auto x = normal(rows * vocabulary, 2);
  for (float& value : x) value *= spread;
  std::vector<std::int32_t> targets(rows);
  for (std::size_t r = 0; r < rows; ++r)
    targets[r] = r % 5 == 3 ? -1 : static_cast<std::int32_t>((r * 7919 + vocabulary - 1) % vocabulary);
  const float scale = 1.0f / 24;
  test::Tensors t;
  const Tensor loss = t.empty({rows}), loss_only = t.empty({rows}), tx = t.f32({rows, vocabulary}, x),
               tt = t.i32({rows}, targets), ts = t.f32({1}, {scale});
  test::run([&](Recorder& rec) { cross_entropy(rec, loss_only, tx, tt, {}, false); });
  EXPECT_EQ(test::read(tx), x) << "logits stay without gradient";
  test::run([&](Recorder& rec) { cross_entropy(rec, loss, tx, tt, ts, true); });
  EXPECT_EQ(test::read(loss), test::read(loss_only));

  std::vector<double> rloss, rgradient;
  reference::cross_entropy(rloss, rgradient, cast<double>(x), targets, static_cast<double>(scale));
  // Vulkan grants exp(a) an error of 3 + 2|a| units in the last place (2 eps each), and log near 1 an
  // absolute one of 2^-21 = 8 eps, which the tolerance of one term covers with a magnitude of 2.
  std::vector<double> loss_magnitude(rows, 0), magnitude(x.size(), 0);
  for (std::size_t r = 0; r < rows; ++r) {
    if (targets[r] < 0) continue;
    const float* row = x.data() + r * vocabulary;
    const double largest = *std::max_element(row, row + vocabulary);
    double sum = 0, exp_error = 0;
    for (std::size_t v = 0; v < vocabulary; ++v) {
      const double a = row[v] - largest;
      sum += std::exp(a);
      exp_error += std::exp(a) * (1 + 2 * (3 + 2 * std::abs(a)));
    }
    exp_error /= sum;
    loss_magnitude[r] = largest - row[targets[r]] + std::log(sum) + 2 + exp_error;
    for (std::size_t v = 0; v < vocabulary; ++v) {
      const double a = row[v] - largest, p = std::exp(a) / sum;
      magnitude[r * vocabulary + v] = scale * p * (1 + 2 * (3 + 2 * std::abs(a)) + exp_error);
      if (static_cast<int>(v) == targets[r]) magnitude[r * vocabulary + v] += scale;
    }
  }
  test::expect_close(test::read(loss), rloss, loss_magnitude, static_cast<double>(vocabulary), "loss");
  test::expect_close(test::read(tx), rgradient, magnitude, static_cast<double>(vocabulary), "gradient");
}

INSTANTIATE_TEST_SUITE_P(shapes, CrossEntropyShapes,
                         testing::Values(Case{1, 1, 1}, Case{1, 257, 3}, Case{9, 257, 1}, Case{5, 1000, 10},
                                         Case{3, 49152, 2}, Case{1, 151936, 2}, Case{600, 31, 1},
                                         Case{4, 4099, 3000}));

TEST(cross_entropy, a_masked_row_gives_exact_zeros) {
  const std::uint64_t vocabulary = 300;
  std::vector<float> x(2 * vocabulary);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = (i % 2 ? 3e38f : -3e38f);
  test::Tensors t;
  const Tensor loss = t.empty({2}), tx = t.f32({2, vocabulary}, x), tt = t.i32({2}, {-1, -1}),
               ts = t.f32({1}, {0.5f});
  test::run([&](Recorder& rec) { cross_entropy(rec, loss, tx, tt, ts, true); });
  EXPECT_EQ(test::read(loss), std::vector<float>(2, 0.0f));
  EXPECT_EQ(test::read(tx), std::vector<float>(x.size(), 0.0f));
}

TEST(cross_entropy, huge_logits_stay_finite) {
  const std::uint64_t vocabulary = 151936;
  std::vector<float> x(2 * vocabulary, -1e4f);
  x[5] = 1e4f;  // the target of the first row, the second's is far below its maximum
  x[vocabulary + 77] = 1e4f;
  test::Tensors t;
  const Tensor loss = t.empty({2}), tx = t.f32({2, vocabulary}, x), tt = t.i32({2}, {5, 5}),
               ts = t.f32({1}, {1});
  test::run([&](Recorder& rec) { cross_entropy(rec, loss, tx, tt, ts, true); });
  EXPECT_EQ(test::read(loss), (std::vector<float>{0, 2e4f}));
  std::vector<float> expected(2 * vocabulary, 0.0f);
  expected[vocabulary + 5] = -1;
  expected[vocabulary + 77] = 1;
  EXPECT_EQ(test::read(tx), expected);
}

// The gradient of a row sums to zero, and a shift of its logits changes neither loss nor gradient.
TEST(cross_entropy, rows_sum_to_zero_and_shifts_do_not_matter) {
  const std::uint64_t vocabulary = 1031;
  auto x = normal(vocabulary, 3);
  for (float& value : x) value = std::round(value * 64) / 64;  // a shift by 512 is exact
  auto shifted = x;
  for (float& value : shifted) value += 512;
  test::Tensors t;
  const Tensor loss = t.empty({1}), loss2 = t.empty({1}), tx = t.f32({1, vocabulary}, x),
               ty = t.f32({1, vocabulary}, shifted), tt = t.i32({1}, {1030}), ts = t.f32({1}, {1});
  test::run([&](Recorder& rec) {
    cross_entropy(rec, loss, tx, tt, ts, true);
    cross_entropy(rec, loss2, ty, tt, ts, true);
  });
  const auto gradient = test::read(tx);
  EXPECT_EQ(gradient, test::read(ty));
  EXPECT_EQ(test::read(loss), test::read(loss2));
  double total = 0, magnitude = 0;
  for (const float value : gradient) {
    total += value;
    magnitude += std::abs(value);
  }
  EXPECT_LE(std::abs(total), tolerance(vocabulary) * 0x1p-24 * magnitude);
}

TEST(cross_entropy, a_target_outside_the_vocabulary_is_seen) {
  test::Tensors t;
  const Tensor loss = t.empty({2}), tx = t.f32({2, 3}, {1, 2, 3, 4, 5, 6}), tt = t.i32({2}, {3, -2}),
               ts = t.f32({1}, {1});
  test::run([&](Recorder& rec) { cross_entropy(rec, loss, tx, tt, ts, true); });
  for (const float value : test::read(loss)) EXPECT_TRUE(std::isnan(value));
  EXPECT_EQ(test::read(tx), std::vector<float>(6, 0.0f));
}

TEST(cross_entropy, refuses_by_name) {
  test::Tensors t;
  const Tensor loss = t.empty({2}), x = t.empty({2, 8}), targets = t.u32({2}, {0, 0});
  vk::Recorder rec(test::device());
  try {
    cross_entropy(rec, loss, x, targets, {}, false);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "cross_entropy: targets is u32, expected i32");
  }
}

}  // namespace
}  // namespace walsh

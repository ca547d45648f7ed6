#include "ops/rope.h"

#include <array>

#include "ops/rope_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

using test::cast;
using test::Complex;

std::vector<float> frequencies(std::size_t width, double base = 10000) {
  std::vector<float> values;
  for (std::size_t d = 0; d < width / 2; ++d)
    values.push_back(
        static_cast<float>(std::pow(base, -2.0 * static_cast<double>(d) / static_cast<double>(width))));
  return values;
}

TEST(rope, reference_gradient) {
  const std::vector<std::uint32_t> positions{0, 3, 100};
  const std::size_t heads = 2, width = 6;
  const auto f = frequencies(width);
  const auto x = cast<double>(normal(3 * heads * width, 1)), dy = cast<double>(normal(3 * heads * width, 2));
  std::vector<double> dx = dy;
  reference::rope_backward(dx, heads, width, positions, f);
  test::expect_gradient(
      x, dx,
      [&](std::vector<Complex> y) {
        reference::rope_forward(y, heads, width, positions, f);
        Complex sum = 0;
        for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
        return sum;
      },
      "dx");
}

struct RopeShape {
  std::size_t heads, width;
  std::vector<std::uint32_t> positions;
};

class RopeShapes : public testing::TestWithParam<RopeShape> {};

TEST_P(RopeShapes, device_agrees_with_reference) {
  const auto& [heads, width, positions] = GetParam();
  const std::size_t tokens = positions.size(), half = width / 2;
  const auto x = normal(tokens * heads * width, 3);
  const auto f = frequencies(width);
  test::Tensors t;
  const Shape shape{tokens, heads, width};
  const Tensor forward = t.f32(shape, x), backward = t.f32(shape, x);
  const Tensor tp = t.u32({tokens}, positions), tf = t.f32({half}, f);
  test::run([&](Recorder& rec) {
    rope_forward(rec, std::array{forward}, tp, tf);
    rope_backward(rec, std::array{backward}, tp, tf);
  });
  std::vector<double> expected_forward = cast<double>(x), expected_backward = cast<double>(x), magnitude;
  reference::rope_forward(expected_forward, heads, width, positions, f);
  reference::rope_backward(expected_backward, heads, width, positions, f);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t pair = i % width < half ? i + half : i - half;
    magnitude.push_back(std::abs(x[i]) + std::abs(x[pair]));
  }
  test::expect_close(test::read(forward), expected_forward, magnitude, 2, "forward");
  test::expect_close(test::read(backward), expected_backward, magnitude, 2, "backward");
}

INSTANTIATE_TEST_SUITE_P(
    shapes, RopeShapes,
    testing::Values(RopeShape{1, 2, {7}}, RopeShape{3, 64, {0, 1, 2, 3, 4, 0, 1, 2}},
                    RopeShape{5, 48, {1, 4095, 4096, 4097, 8191}},
                    RopeShape{2, 128, {511, 2047, 32767, 65535, 65537, 99991, 131071, 131072}}));

TEST(rope, every_position_up_to_131072_turns_exactly) {
  // Frequency 1 gives the largest angles, 1/√2's product with a position is far from any fp32 number.
  const std::vector<float> f{1.0f, 0.70710678f, 0.01f, 1.5e-5f};
  std::vector<std::uint32_t> positions;
  for (std::uint32_t p = 0; p <= 131072; p += 7) positions.push_back(p);
  const std::size_t tokens = positions.size();
  std::vector<float> x;
  for (std::size_t t = 0; t < tokens; ++t) x.insert(x.end(), {1, 1, 1, 1, 0, 0, 0, 0});
  test::Tensors t;
  const Tensor tx = t.f32({tokens, 1, 8}, x), tp = t.u32({tokens}, positions), tf = t.f32({4}, f);
  test::run([&](Recorder& rec) { rope_forward(rec, std::array{tx}, tp, tf); });
  std::vector<double> expected = cast<double>(x);
  reference::rope_forward(expected, 1, 8, positions, f);
  test::expect_close(test::read(tx), expected, 2, "(cos, sin)");
}

TEST(rope, backward_undoes_forward) {
  const auto x = normal(4 * 2 * 64, 5);
  test::Tensors t;
  const Tensor tx = t.f32({4, 2, 64}, x), tp = t.u32({4}, {0, 5, 1000, 131072}),
               tf = t.f32({32}, frequencies(64));
  test::run([&](Recorder& rec) {
    rope_forward(rec, std::array{tx}, tp, tf);
    rope_backward(rec, std::array{tx}, tp, tf);
  });
  test::expect_close(test::read(tx), cast<double>(x), 4, "x");
}

TEST(rope, refuses_a_wrong_shape_by_name) {
  test::Tensors t;
  const Tensor x = t.empty({2, 1, 8}), f = t.empty({3});
  vk::Recorder rec(test::device());
  try {
    rope_forward(rec, std::array{x}, t.u32({2}, {0, 1}), f);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "rope_forward: inverse_frequencies has shape [3], expected [4]");
  }
}

}  // namespace
}  // namespace walsh

#include "ops/swiglu.h"

#include "ops/swiglu_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

using test::cast;

TEST(swiglu, reference_gradient) {
  const auto gate = cast<double>(normal(9, 1)), up = cast<double>(normal(9, 2)),
             dy = cast<double>(normal(9, 3));
  std::vector<double> dgate, dup;
  reference::swiglu_backward(dgate, dup, dy, gate, up);
  const auto loss = [&](const std::vector<test::Complex>& cgate, const std::vector<test::Complex>& cup) {
    std::vector<test::Complex> y;
    reference::swiglu_forward(y, cgate, cup);
    test::Complex sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
    return sum;
  };
  test::expect_gradient(
      gate, dgate, [&](const auto& c) { return loss(c, cast<test::Complex>(up)); }, "dgate");
  test::expect_gradient(
      up, dup, [&](const auto& c) { return loss(cast<test::Complex>(gate), c); }, "dup");
}

class SwigluShapes : public testing::TestWithParam<std::pair<std::uint64_t, std::uint64_t>> {};

TEST_P(SwigluShapes, device_agrees_with_reference) {
  const auto [rows, width] = GetParam();
  const std::size_t n = rows * width;
  auto gate = normal(n, 4);
  for (float& g : gate) g *= 4;
  const auto up = normal(n, 5), dy = normal(n, 6);
  test::Tensors t;
  const Shape shape{rows, width};
  const Tensor y = t.empty(shape), dgate = t.empty(shape), dup = t.empty(shape);
  const Tensor tgate = t.f32(shape, gate), tup = t.f32(shape, up), tdy = t.f32(shape, dy);
  test::run([&](Recorder& rec) {
    swiglu_forward(rec, y, tgate, tup);
    swiglu_backward(rec, dgate, dup, tdy, tgate, tup);
  });
  std::vector<double> ry, rdgate, rdup;
  const auto dgates = cast<double>(gate), dups = cast<double>(up), ddys = cast<double>(dy);
  reference::swiglu_forward(ry, dgates, dups);
  reference::swiglu_backward(rdgate, rdup, ddys, dgates, dups);
  // Vulkan grants exp(g) an error of 3 + 2|g| units in the last place; it reaches the sigmoid times 1 − s and
  // 1 − s itself times s.
  std::vector<double> y_magnitude(n), dgate_magnitude(n), dup_magnitude(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double g = dgates[i], s = reference::sigmoid(g), exp_error = 2 * (3 + 2 * std::abs(g));
    const double relative = 1 + (1 - s) * exp_error;
    y_magnitude[i] = std::abs(ry[i]) * relative;
    dup_magnitude[i] = std::abs(rdup[i]) * relative;
    dgate_magnitude[i] = std::abs(ddys[i] * dups[i] * s) *
                         (relative * (1 + std::abs(g) * (1 - s)) + std::abs(g) * s * (1 + relative));
  }
  test::expect_close(test::read(y), ry, y_magnitude, 1, "y");
  test::expect_close(test::read(dgate), rdgate, dgate_magnitude, 1, "dgate");
  test::expect_close(test::read(dup), rdup, dup_magnitude, 1, "dup");
}

INSTANTIATE_TEST_SUITE_P(shapes, SwigluShapes,
                         testing::Values(std::pair{1, 1}, std::pair{3, 257}, std::pair{130, 576}));

TEST(swiglu, large_gates_stay_finite) {
  test::Tensors t;
  const Tensor gate = t.f32({4}, {-1e4f, -100, 100, 1e4f}), ones = t.f32({4}, {1, 1, 1, 1}), y = t.empty({4}),
               dgate = t.empty({4}), dup = t.empty({4});
  test::run([&](Recorder& rec) {
    swiglu_forward(rec, y, gate, ones);
    swiglu_backward(rec, dgate, dup, ones, gate, ones);
  });
  const std::vector<double> expected = {0, 0, 100, 1e4};
  test::expect_close(test::read(y), expected, 1, "y");
  test::expect_close(test::read(dup), expected, 1, "dup");
  test::expect_close(test::read(dgate), {0, 0, 1, 1}, 1, "dgate");
}

TEST(swiglu, refuses_by_name) {
  test::Tensors t;
  const Tensor gate = t.empty({2, 8}), up = t.empty({8, 2});
  vk::Recorder rec(test::device());
  try {
    swiglu_forward(rec, gate, gate, up);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "swiglu_forward: up has shape [8, 2], expected [2, 8]");
  }
}

}  // namespace
}  // namespace walsh

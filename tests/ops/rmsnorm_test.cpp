#include "ops/rmsnorm.h"

#include "ops/rmsnorm_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

using test::cast;

constexpr double epsilon = 1e-5;

TEST(rmsnorm, reference_gradient) {
  const std::size_t rows = 3, width = 5;
  const auto x = cast<double>(normal(rows * width, 1)), w = cast<double>(normal(width, 2)),
             dy = cast<double>(normal(rows * width, 3));
  std::vector<double> y, rstd, dx, dw;
  reference::rmsnorm_forward(y, rstd, x, w, epsilon);
  reference::rmsnorm_backward(dx, dw, dy, x, rstd, w);
  const auto loss = [&](const std::vector<test::Complex>& cx, const std::vector<test::Complex>& cw) {
    std::vector<test::Complex> cy, crstd;
    reference::rmsnorm_forward(cy, crstd, cx, cw, epsilon);
    test::Complex sum = 0;
    for (std::size_t i = 0; i < cy.size(); ++i) sum += cy[i] * dy[i];
    return sum;
  };
  test::expect_gradient(
      x, dx, [&](const auto& cx) { return loss(cx, cast<test::Complex>(w)); }, "dx");
  test::expect_gradient(
      w, dw, [&](const auto& cw) { return loss(cast<test::Complex>(x), cw); }, "dweight");
}

class RmsnormShapes : public testing::TestWithParam<std::pair<std::uint64_t, std::uint64_t>> {};

TEST_P(RmsnormShapes, device_agrees_with_reference) {
  const auto [rows, width] = GetParam();
  const auto x = normal(rows * width, 4), w = normal(width, 5), dy = normal(rows * width, 6),
             dw0 = normal(width, 7);
  test::Tensors t;
  const Tensor y = t.empty({rows, width}), rstd = t.empty({rows}), dx = t.empty({rows, width}),
               dw = t.f32({width}, dw0);
  const Tensor tx = t.f32({rows, width}, x), tw = t.f32({width}, w), tdy = t.f32({rows, width}, dy);
  test::run([&](Recorder& rec) {
    rmsnorm_forward(rec, y, rstd, tx, tw, epsilon);
    rmsnorm_backward(rec, dx, tdy, tx, rstd, tw);
    rmsnorm_backward_weight(rec, dw, tdy, tx, rstd);
  });
  std::vector<double> ry, rrstd, rdx, rdw = cast<double>(dw0);
  reference::rmsnorm_forward(ry, rrstd, cast<double>(x), cast<double>(w), epsilon);
  reference::rmsnorm_backward(rdx, rdw, cast<double>(dy), cast<double>(x), rrstd, cast<double>(w));
  test::expect_close(test::read(y), ry, static_cast<double>(width), "y");
  // dx is a difference: its magnitude is the sum of both terms', the mean's taken with absolute values.
  std::vector<double> magnitude(x.size());
  for (std::size_t r = 0; r < rows; ++r) {
    double mean = 0;
    for (std::size_t c = 0; c < width; ++c)
      mean += std::abs(dy[r * width + c] * w[c] * x[r * width + c] * rrstd[r]);
    for (std::size_t i = r * width; i < (r + 1) * width; ++i) {
      magnitude[i] = rrstd[r] * (std::abs(dy[i] * w[i % width]) +
                                 std::abs(x[i]) * rrstd[r] * mean / static_cast<double>(width));
    }
  }
  test::expect_close(test::read(dx), rdx, magnitude, static_cast<double>(width), "dx");
  test::expect_close(test::read(dw), rdw, static_cast<double>(rows), "dweight");
}

INSTANTIATE_TEST_SUITE_P(shapes, RmsnormShapes,
                         testing::Values(std::pair{1, 1}, std::pair{3, 64}, std::pair{7, 172},
                                         std::pair{5, 257}, std::pair{130, 576}));

TEST(rmsnorm, refuses_a_wrong_shape_by_name) {
  test::Tensors t;
  const Tensor x = t.empty({2, 8}), rstd = t.empty({2}), w = t.empty({4});
  vk::Recorder rec(test::device());
  try {
    rmsnorm_forward(rec, x, rstd, x, w, 1e-5f);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "rmsnorm_forward: weight has shape [4], expected [8]");
  }
}

}  // namespace
}  // namespace walsh

#include "ops/hadamard.h"

#include <fmt/format.h>

#include <cmath>

#include "ops/hadamard_reference.h"
#include "ops/rmsnorm_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

using test::cast;

/// A transform with its table on the device.
class Transform {
 public:
  explicit Transform(std::uint32_t n) : transform_(arena_, n) {
    arena_.commit(test::device());
    transform_.upload(test::device());
  }
  operator const HadamardTransform&() const { return transform_; }

 private:
  vk::Arena arena_{"hadamard test"};
  HadamardTransform transform_;
};

std::vector<float> on_device(std::uint32_t n, const std::vector<float>& x, bool transposed, float scale) {
  test::Tensors t;
  const Transform h(n);
  const Tensor tx = t.f32({x.size() / n, n}, x), y = t.empty({x.size() / n, n});
  test::run([&](Recorder& rec) { hadamard(rec, y, tx, h, transposed, scale); });
  return test::read(y);
}

/// Every result is a signed sum of the whole row.
std::vector<double> magnitude(const std::vector<float>& x, std::uint32_t n, double scale) {
  std::vector<double> m(x.size());
  for (std::size_t r = 0; r < x.size() / n; ++r) {
    double sum = 0;
    for (std::size_t i = r * n; i < (r + 1) * n; ++i) sum += std::abs(scale * x[i]);
    std::fill_n(m.begin() + static_cast<std::ptrdiff_t>(r * n), n, sum);
  }
  return m;
}

struct Size {
  std::uint32_t n, rows;
};

class HadamardSizes : public testing::TestWithParam<Size> {};

TEST_P(HadamardSizes, device_agrees_with_reference) {
  const auto [n, rows] = GetParam();
  const std::vector<float> x = normal(std::size_t{n} * rows, 1), y0 = normal(x.size(), 2);
  const Hadamard reference(n);
  const Transform h(n);
  const float scale = 0.37f;
  for (const bool transposed : {false, true}) {
    auto expected = cast<double>(x);
    reference::hadamard_rows(reference, expected.data(), rows, transposed, static_cast<double>(scale));
    test::Tensors t;
    const Tensor y = t.empty({rows, n}), in_place = t.f32({rows, n}, x), tx = t.f32({rows, n}, x),
                 sum = t.f32({rows, n}, y0);
    test::run([&](Recorder& rec) {
      hadamard(rec, y, tx, h, transposed, scale);
      hadamard(rec, in_place, in_place, h, transposed, scale);
      hadamard(rec, sum, tx, h, transposed, scale, true);
    });
    auto bounds = magnitude(x, n, scale);
    const auto got = test::read(y);
    test::expect_close(got, expected, bounds, n, "y");
    EXPECT_EQ(got, test::read(in_place)) << "in place";
    for (std::size_t i = 0; i < expected.size(); ++i) {
      expected[i] += y0[i];
      bounds[i] += std::abs(y0[i]);
    }
    test::expect_close(test::read(sum), expected, bounds, n, "accumulated");
  }
}

// A row alone; rows that share a workgroup and leave one partly filled; one base, several, none; a base
// beside a power of two of its own; widths beyond one pass.
INSTANTIATE_TEST_SUITE_P(sizes, HadamardSizes,
                         testing::Values(Size{1, 3}, Size{2, 5}, Size{8, 700}, Size{12, 9}, Size{24, 3},
                                         Size{36, 130}, Size{64, 65}, Size{172, 25}, Size{256, 17},
                                         Size{336, 5}, Size{400, 3}, Size{512, 9}, Size{576, 16},
                                         Size{960, 5}, Size{1536, 7}, Size{2048, 3}, Size{2304, 3},
                                         Size{2560, 2}, Size{3072, 2}, Size{4096, 2}, Size{4544, 1},
                                         Size{4864, 2}, Size{5376, 2}, Size{5632, 1}, Size{5760, 2},
                                         Size{8192, 2}, Size{8960, 1}, Size{11008, 1}, Size{14336, 2},
                                         Size{16384, 2}, Size{18944, 1}, Size{25600, 2}, Size{28672, 1},
                                         Size{29568, 2}, Size{32768, 1}),
                         [](const auto& info) { return fmt::format("n{}", info.param.n); });

// Where the norm joins the transform, and where the row is too long or the driver a CPU's.
TEST(hadamard, of_a_norm_is_both_ops) {
  vk::DeviceInfo info = test::device().info();
  info.tuning.lane_by_lane = false;
  vk::Device gpu(info);
  for (vk::Device* device : {&gpu, &test::device()}) {
    for (const auto [n, rows] :
         {Size{64, 65}, Size{576, 16}, Size{1536, 3}, Size{4096, 2}, Size{8192, 2}, Size{11008, 1}}) {
      for (const bool add : {false, true}) {
        vk::Arena arena("transform");
        const HadamardTransform h(arena, n);
        arena.commit(*device);
        h.upload(*device);
        const std::size_t count = std::size_t{n} * rows;
        const auto x = normal(count, 1), addend = normal(count, 2), weight = normal(n, 3);
        TensorStore t(*device);
        const Shape shape{rows, n};
        const Tensor y = t.empty(shape), sum = t.empty(shape);
        const Norm norm{.y = t.empty(shape),
                        .rstd = t.empty({rows}),
                        .x = t.f32(shape, x),
                        .weight = t.f32({n}, weight),
                        .epsilon = 1e-5f,
                        .addend = add ? t.f32(shape, addend) : Tensor{},
                        .sum = add ? sum : Tensor{}};
        vk::run_once(*device, [&](Recorder& rec) { hadamard(rec, y, norm, h, 0.5f); });
        auto stream = cast<double>(x);
        for (std::size_t i = 0; add && i < count; ++i) stream[i] += addend[i];
        std::vector<double> normed, rstd;
        reference::rmsnorm_forward(normed, rstd, stream, cast<double>(weight), 1e-5);
        if (add) test::expect_close(t.read(sum), stream, 1, "sum");
        test::expect_close(t.read(norm.rstd), rstd, n, "rstd");
        test::expect_close(t.read(norm.y), normed, n, "normed");
        const auto bounds = magnitude({normed.begin(), normed.end()}, n, 0.5f);
        reference::hadamard_rows(Hadamard(n), normed.data(), rows, false, 0.5);
        test::expect_close(t.read(y), normed, bounds, n, "transformed");
      }
    }
  }
}

TEST(hadamard, transposed_inverts) {
  for (const std::uint32_t n : {12u, 16u, 24u, 576u, 1536u, 11008u, 32768u}) {
    const auto x = normal(2 * n, 3);
    // Every element is rounded in both transforms: n terms of a row's Σ|x|·√n at most, and again n terms.
    const auto back = on_device(n, on_device(n, x, false, 1 / std::sqrt(static_cast<float>(n))), true,
                                1 / std::sqrt(static_cast<float>(n)));
    test::expect_close(back, cast<double>(x), magnitude(x, n, 1 / std::sqrt(n)), n, "x");
  }
}

TEST(hadamard, adjoint) {
  for (const std::uint32_t n : {12u, 24u, 20u, 576u, 1536u, 3072u}) {
    const auto x = normal(n, 4), y = normal(n, 5);
    const auto hx = on_device(n, x, false, 1), hty = on_device(n, y, true, 1);
    double left = 0, right = 0, bound = 0;
    for (std::uint32_t i = 0; i < n; ++i) {
      left += static_cast<double>(hx[i]) * y[i];
      right += static_cast<double>(x[i]) * hty[i];
      bound += std::abs(hx[i] * y[i]) + std::abs(x[i] * hty[i]);
    }
    EXPECT_LE(std::abs(left - right), tolerance(n) * 0x1p-24 * bound * std::sqrt(n)) << n;
  }
}

TEST(hadamard, base_12_is_not_symmetric) {
  std::vector<float> x(12, 0.0f);
  x[1] = 1;
  EXPECT_NE(on_device(12, x, false, 1), on_device(12, x, true, 1));
}

TEST(hadamard, same_bits_twice) {
  for (const std::uint32_t n : {576u, 14336u}) {
    const auto x = normal(3 * n, 6);
    EXPECT_EQ(on_device(n, x, false, 0.5f), on_device(n, x, false, 0.5f));
  }
}

TEST(hadamard, refuses) {
  vk::Arena arena("hadamard test");
  EXPECT_THROW(HadamardTransform(arena, 6), Error);
  test::Tensors t;
  const Transform h(16);
  vk::Recorder rec(test::device());
  const Tensor x = t.empty({2, 16}), wide = t.empty({2, 32});
  EXPECT_THROW(hadamard(rec, x, wide, h, false, 1), Error);
  EXPECT_THROW(hadamard(rec, x, x, h, false, 1, true), Error);
}

}  // namespace
}  // namespace walsh

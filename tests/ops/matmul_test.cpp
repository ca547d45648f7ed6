#include "ops/matmul.h"

#include <array>

#include "base/half.h"
#include "ops/matmul_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

using test::cast;

std::vector<double> absolute(const std::vector<double>& values) {
  std::vector<double> out;
  for (const double value : values) out.push_back(std::abs(value));
  return out;
}

TEST(matmul, reference_gradient) {
  const std::size_t tokens = 3, m = 4, n = 5;
  const auto x = cast<double>(normal(tokens * n, 1)), w = cast<double>(normal(m * n, 2)),
             b = cast<double>(normal(m, 3)), dy = cast<double>(normal(tokens * m, 4));
  std::vector<double> dx, dw, db;
  reference::matmul_backward(dx, dw, db, dy, x, w, m, n);
  const auto loss = [&](const auto& cx, const auto& cw, const auto& cb) {
    std::vector<test::Complex> y;
    reference::matmul_forward(y, cx, cw, cb, m, n);
    test::Complex sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
    return sum;
  };
  const auto zx = cast<test::Complex>(x), zw = cast<test::Complex>(w), zb = cast<test::Complex>(b);
  test::expect_gradient(
      x, dx, [&](const auto& c) { return loss(c, zw, zb); }, "dx");
  test::expect_gradient(
      w, dw, [&](const auto& c) { return loss(zx, c, zb); }, "dw");
  test::expect_gradient(
      b, db, [&](const auto& c) { return loss(zx, zw, c); }, "dbias");
}

struct Case {
  std::uint64_t tokens, n, m;
  DType type;
};

class MatmulShapes : public testing::TestWithParam<Case> {};

TEST_P(MatmulShapes, device_agrees_with_reference) {
  const auto [tokens, n, m, type] = GetParam();
  const auto x = normal(tokens * n, 5), b = normal(m, 6), dy = normal(tokens * m, 7),
             dx0 = normal(tokens * n, 8), dw0 = normal(m * n, 9), db0 = normal(m, 10);
  auto w = normal(m * n, 11);
  for (float& value : w) {
    if (type == DType::f16) value = f16_to_float(float_to_f16(value));
    if (type == DType::bf16) value = bf16_to_float(float_to_bf16(value));
  }
  test::Tensors t;
  const Tensor y = t.empty({tokens, m}), yb = t.empty({tokens, m}), dx = t.empty({tokens, n}),
               dx_sum = t.f32({tokens, n}, dx0), dw = t.f32({m, n}, dw0), db = t.f32({m}, db0);
  const Tensor tx = t.f32({tokens, n}, x), tb = t.f32({m}, b), tdy = t.f32({tokens, m}, dy);
  const Tensor tw = type == DType::f32 ? t.f32({m, n}, w) : t.half(type, {m, n}, w);
  test::run([&](Recorder& rec) {
    matmul_forward(rec, y, tx, tw);
    matmul_forward(rec, yb, tx, tw, tb);
    matmul_backward(rec, dx, tdy, tw);
    matmul_backward(rec, dx_sum, tdy, tw, true);
    matmul_backward_weight(rec, dw, tdy, tx);
    matmul_backward_bias(rec, db, tdy);
  });
  // The same sums over absolute values are the magnitudes.
  const auto X = cast<double>(x), W = cast<double>(w), DY = cast<double>(dy), B = cast<double>(b);
  const auto AX = absolute(X), AW = absolute(W), ADY = absolute(DY), AB = absolute(B);
  const auto N = static_cast<double>(n), M = static_cast<double>(m), T = static_cast<double>(tokens);
  std::vector<double> want, size, want_b, size_b;
  reference::matmul_forward(want, X, W, {}, m, n);
  reference::matmul_forward(size, AX, AW, {}, m, n);
  test::expect_close(test::read(y), want, size, N, "y");
  reference::matmul_forward(want, X, W, B, m, n);
  reference::matmul_forward(size, AX, AW, AB, m, n);
  test::expect_close(test::read(yb), want, size, N + 1, "y with bias");
  std::vector<double> want_dx, want_dw = cast<double>(dw0), want_db = cast<double>(db0);
  std::vector<double> size_dx, size_dw = absolute(want_dw), size_db = absolute(want_db);
  reference::matmul_backward(want_dx, want_dw, want_db, DY, X, W, m, n);
  reference::matmul_backward(size_dx, size_dw, size_db, ADY, AX, AW, m, n);
  test::expect_close(test::read(dx), want_dx, size_dx, M, "dx");
  test::expect_close(test::read(dw), want_dw, size_dw, T + 1, "dw");
  test::expect_close(test::read(db), want_db, size_db, T + 1, "dbias");
  for (std::size_t i = 0; i < want_dx.size(); ++i) {
    want_dx[i] += dx0[i];
    size_dx[i] += std::abs(dx0[i]);
  }
  test::expect_close(test::read(dx_sum), want_dx, size_dx, M + 1, "accumulated dx");
}

// Odd sizes, one row, sizes that whole tiles of every device divide, and several workgroups each way.
INSTANTIATE_TEST_SUITE_P(shapes, MatmulShapes,
                         testing::Values(Case{1, 1, 1, DType::f32}, Case{3, 7, 5, DType::f16},
                                         Case{5, 172, 33, DType::bf16}, Case{2, 64, 130, DType::f16},
                                         Case{65, 129, 131, DType::f32}, Case{70, 33, 3, DType::bf16},
                                         Case{256, 128, 256, DType::f32}, Case{128, 256, 128, DType::f16},
                                         Case{128, 128, 384, DType::bf16}, Case{300, 96, 140, DType::f32}));

// ⟨x wᵀ, dy⟩ = ⟨x, dy w⟩ = ⟨w, dyᵀ x⟩
TEST(matmul, products_are_adjoint) {
  const std::uint64_t tokens = 40, n = 90, m = 70;
  const auto x = normal(tokens * n, 1), w = normal(m * n, 2), dy = normal(tokens * m, 3);
  test::Tensors t;
  const Tensor y = t.empty({tokens, m}), dx = t.empty({tokens, n}), dw = t.zeros({m, n});
  const Tensor tx = t.f32({tokens, n}, x), tw = t.f32({m, n}, w), tdy = t.f32({tokens, m}, dy);
  test::run([&](Recorder& rec) {
    matmul_forward(rec, y, tx, tw);
    matmul_backward(rec, dx, tdy, tw);
    matmul_backward_weight(rec, dw, tdy, tx);
  });
  const auto dot = [](const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
    return sum;
  };
  double magnitude = 0;
  const auto got = test::read(y);
  for (std::size_t i = 0; i < got.size(); ++i) magnitude += std::abs(static_cast<double>(got[i]) * dy[i]);
  const double forward = dot(got, dy), bound = tolerance(static_cast<double>(n)) * 0x1p-24 * magnitude;
  EXPECT_NEAR(dot(test::read(dx), x), forward, bound);
  EXPECT_NEAR(dot(test::read(dw), w), forward, bound);
}

// A Gram matrix is symmetric to the last bit, because both triangles sum the same products in the same order.
TEST(matmul, gram_matrix_is_symmetric_and_repeats) {
  const std::uint64_t tokens = 75, n = 140;
  const auto x = normal(tokens * n, 1);
  test::Tensors t;
  const Tensor tx = t.f32({tokens, n}, x), gram = t.zeros({n, n}), again = t.zeros({n, n});
  test::run([&](Recorder& rec) {
    matmul_backward_weight(rec, gram, tx, tx);
    matmul_backward_weight(rec, again, tx, tx);
  });
  const auto g = test::read(gram);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j) ASSERT_EQ(g[i * n + j], g[j * n + i]) << i << ", " << j;
  }
  EXPECT_EQ(g, test::read(again));
}

// A weight that is there one tile at a time gives what the whole one gives.
TEST(matmul, tiles_of_a_weight) {
  for (const auto& [tokens, n, m] : {std::array<std::uint64_t, 3>{24, 96, 168}, {5, 33, 130}}) {
    const auto x = normal(tokens * n, 1), w = normal(m * n, 2), b = normal(m, 3), dy = normal(tokens * m, 4);
    test::Tensors t;
    const Tensor y = t.empty({tokens, m}), dx = t.empty({tokens, n}), dw = t.zeros({m, n});
    const Tensor tx = t.f32({tokens, n}, x), tw = t.f32({m, n}, w), tb = t.f32({m}, b),
                 tdy = t.f32({tokens, m}, dy);
    test::run([&](Recorder& rec) {
      for (const std::uint64_t first : {0, 128}) {
        const std::uint64_t count = std::min<std::uint64_t>(128, dw.shape[0] - first);
        matmul_forward_tile(rec, y, tx, tw.rows(first, count), first, tb);
        matmul_backward_tile(rec, dx, tdy, tw.rows(first, count), first, first > 0);
        matmul_backward_weight_tile(rec, dw.rows(first, count), tdy, tx, first);
      }
    });
    const auto X = cast<double>(x), W = cast<double>(w), B = cast<double>(b), DY = cast<double>(dy);
    std::vector<double> want, size, want_dx, want_dw, size_dx, size_dw, db;
    reference::matmul_forward(want, X, W, B, m, n);
    reference::matmul_forward(size, absolute(X), absolute(W), absolute(B), m, n);
    test::expect_close(test::read(y), want, size, n + 1.0, "y");
    reference::matmul_backward(want_dx, want_dw, db, DY, X, W, m, n);
    reference::matmul_backward(size_dx, size_dw, db, absolute(DY), absolute(X), absolute(W), m, n);
    test::expect_close(test::read(dx), want_dx, size_dx, m, "dx");
    test::expect_close(test::read(dw), want_dw, size_dw, tokens, "dw");
  }
}

TEST(matmul, refuses_a_wrong_shape_by_name) {
  test::Tensors t;
  const Tensor x = t.empty({2, 8}), y = t.empty({2, 4}), w = t.empty({3, 8});
  vk::Recorder rec(test::device());
  try {
    matmul_forward(rec, y, x, w);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "matmul_forward: y has shape [2, 4], expected [2, 3]");
  }
}

}  // namespace
}  // namespace walsh

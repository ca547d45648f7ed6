#include "ops/spmm.h"

#include <cmath>

#include "ops/spmm_reference.h"
#include "ops/transpose_reference.h"
#include "tests/support/numbers.h"
#include "tests/support/sparse.h"

namespace walsh {
namespace {

using test::cast;

std::vector<double> absolute(const std::vector<float>& values) {
  std::vector<double> result;
  for (const float value : values) result.push_back(std::abs(value));
  return result;
}

TEST(spmm, reference_gradient) {
  const std::size_t tokens = 3;
  const SparseMatrix f = test::irregular_support(5, 7, 3, 1);
  const auto xt = cast<double>(normal(7 * tokens, 2)), dyt = cast<double>(normal(5 * tokens, 3));
  const auto values = cast<double>(normal(f.nonzeros(), 4));
  const auto dy = reference::transpose(dyt, 5);  // [T, m]
  std::vector<double> dx(tokens * 7, 0.0);
  reference::spmm_backward(dx, dyt, values, f, 0.3);
  const auto loss = [&](const std::vector<test::Complex>& x) {
    std::vector<test::Complex> y(tokens * 5);
    reference::spmm_forward(y, reference::transpose(x, tokens), cast<test::Complex>(values), f, 0.3);
    test::Complex sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
    return sum;
  };
  test::expect_gradient(reference::transpose(xt, 7), dx, loss, "dx");
}

struct Case {
  std::uint32_t rows, columns, most, tokens;
};

class SpmmShapes : public testing::TestWithParam<Case> {};

TEST_P(SpmmShapes, device_agrees_with_reference) {
  const auto [rows, columns, most, tokens] = GetParam();
  const SparseMatrix f = test::irregular_support(rows, columns, most, 5);
  const test::DeviceSupport support(f);
  const auto xt = normal(columns * tokens, 6), dyt = normal(rows * tokens, 7),
             values = normal(f.nonzeros(), 8), y0 = normal(rows * tokens, 9),
             dx0 = normal(columns * tokens, 10);
  test::Tensors t;
  const Tensor txt = t.f32({columns, tokens}, xt), tdyt = t.f32({rows, tokens}, dyt),
               tvalues = t.f32({f.nonzeros()}, values);
  const float scale = -0.71f;
  for (const bool accumulate : {false, true}) {
    const Tensor y = accumulate ? t.f32({tokens, rows}, y0) : t.empty({tokens, rows});
    const Tensor dx = accumulate ? t.f32({tokens, columns}, dx0) : t.empty({tokens, columns});
    test::run([&](Recorder& rec) {
      spmm_forward(rec, y, txt, tvalues, support, scale, accumulate);
      spmm_backward(rec, dx, tdyt, tvalues, support, scale, accumulate);
    });
    const auto start = [accumulate](const std::vector<float>& values, auto&& of) {
      return accumulate ? of(values) : std::vector<double>(values.size(), 0.0);
    };
    auto expected = start(y0, cast<double, float>), magnitude = start(y0, absolute);
    reference::spmm_forward(expected, cast<double>(xt), cast<double>(values), f, static_cast<double>(scale));
    reference::spmm_forward(magnitude, absolute(xt), absolute(values), f,
                            std::abs(static_cast<double>(scale)));
    test::expect_close(test::read(y), expected, magnitude, columns, "y");
    expected = start(dx0, cast<double, float>), magnitude = start(dx0, absolute);
    reference::spmm_backward(expected, cast<double>(dyt), cast<double>(values), f,
                             static_cast<double>(scale));
    reference::spmm_backward(magnitude, absolute(dyt), absolute(values), f,
                             std::abs(static_cast<double>(scale)));
    test::expect_close(test::read(dx), expected, magnitude, rows, "dx");
  }
}

// One tile and several; tokens that no tile divides; one token; a matrix wider than 16-bit words hold in
// pairs.
INSTANTIATE_TEST_SUITE_P(shapes, SpmmShapes,
                         testing::Values(Case{1, 1, 1, 1}, Case{3, 5, 2, 1}, Case{17, 64, 9, 70},
                                         Case{40, 33, 20, 257}, Case{90, 172, 40, 131},
                                         Case{7, 40000, 300, 3}));

TEST(spmm, adjoint) {
  const std::uint64_t tokens = 19;
  const SparseMatrix f = test::irregular_support(30, 44, 12, 11);
  const test::DeviceSupport support(f);
  const auto x = normal(tokens * 44, 12), dy = normal(tokens * 30, 13), values = normal(f.nonzeros(), 14);
  test::Tensors t;
  const Tensor y = t.empty({tokens, 30}), dx = t.empty({tokens, 44}),
               xt = t.f32({44, tokens}, reference::transpose(x, tokens)),
               dyt = t.f32({30, tokens}, reference::transpose(dy, tokens)), c = t.f32({f.nonzeros()}, values);
  test::run([&](Recorder& rec) {
    spmm_forward(rec, y, xt, c, support, 1, false);
    spmm_backward(rec, dx, dyt, c, support, 1, false);
  });
  double left = 0, right = 0, bound = 0;
  const auto fy = test::read(y), fdx = test::read(dx);
  for (std::size_t i = 0; i < fy.size(); ++i) left += static_cast<double>(fy[i]) * dy[i];
  for (std::size_t i = 0; i < fdx.size(); ++i) {
    right += static_cast<double>(fdx[i]) * x[i];
    bound += std::abs(fdx[i] * x[i]);
  }
  EXPECT_LE(std::abs(left - right), tolerance(44) * 0x1p-24 * bound);
}

TEST(spmm, same_bits_twice) {
  const SparseMatrix f = test::irregular_support(30, 60, 12, 15);
  const test::DeviceSupport support(f);
  test::Tensors t;
  const Tensor xt = t.f32({60, 50}, normal(3000, 16)), c = t.f32({f.nonzeros()}, normal(f.nonzeros(), 17));
  const Tensor once = t.empty({50, 30}), twice = t.empty({50, 30});
  test::run([&](Recorder& rec) {
    spmm_forward(rec, once, xt, c, support, 1, false);
    spmm_forward(rec, twice, xt, c, support, 1, false);
  });
  EXPECT_EQ(test::read(once), test::read(twice));
}

TEST(spmm, refuses_bad_supports) {
  vk::Arena arena("sparse test");
  EXPECT_THROW(reserve_sparse(arena, 70000, 8, 5), Error);
  EXPECT_THROW(reserve_sparse(arena, 8, 8, 0), Error);
  EXPECT_THROW(reserve_sparse(arena, 8, 8, 65), Error);
  EXPECT_THROW((SparseMatrix{2, 4, {0, 1}, {0}}.check("f")), Error);
  EXPECT_THROW((SparseMatrix{2, 4, {0, 2, 1}, {0}}.check("f")), Error);
  EXPECT_THROW((SparseMatrix{2, 4, {0, 1, 2}, {0, 4}}.check("f")), Error);
  EXPECT_THROW((SparseMatrix{1, 4, {0, 2}, {3, 1}}.check("f")), Error);
  EXPECT_THROW((SparseMatrix{1, 4, {0, 2}, {1, 1}}.check("f")), Error);
  EXPECT_NO_THROW((SparseMatrix{2, 4, {0, 0, 2}, {1, 3}}.check("f")));
  test::Tensors t;
  const test::DeviceSupport support(SparseMatrix{2, 4, {0, 0, 2}, {1, 3}});
  vk::Recorder rec(test::device());
  EXPECT_THROW(spmm_forward(rec, t.empty({5, 2}), t.empty({5, 4}), t.empty({2}), support, 1, false), Error);
  EXPECT_THROW(upload(test::device(), support, SparseMatrix{2, 4, {0, 1, 1}, {1}}), Error);
}

}  // namespace
}  // namespace walsh

#include "ops/sddmm.h"

#include <cmath>

#include "ops/sddmm_reference.h"
#include "ops/spmm_reference.h"
#include "ops/transpose_reference.h"
#include "tests/support/numbers.h"
#include "tests/support/sparse.h"

namespace walsh {
namespace {

using test::cast;

TEST(sddmm, reference_gradient) {
  const std::size_t tokens = 4;
  const SparseMatrix f = test::irregular_support(5, 7, 3, 1);
  const auto xt = cast<double>(normal(7 * tokens, 2)), dyt = cast<double>(normal(5 * tokens, 3));
  const auto dy = reference::transpose(dyt, 5);
  const auto values = cast<double>(normal(f.nonzeros(), 4));
  std::vector<double> dvalues(f.nonzeros(), 0.0);
  reference::sddmm(dvalues, dyt, xt, f, 0.3);
  test::expect_gradient(
      values, dvalues,
      [&](const std::vector<test::Complex>& c) {
        std::vector<test::Complex> y(tokens * 5);
        reference::spmm_forward(y, cast<test::Complex>(xt), c, f, 0.3);
        test::Complex sum = 0;
        for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
        return sum;
      },
      "dvalues");
}

struct Case {
  std::uint32_t rows, columns, most, tokens;
};

class SddmmShapes : public testing::TestWithParam<Case> {};

TEST_P(SddmmShapes, device_agrees_with_reference) {
  const auto [rows, columns, most, tokens] = GetParam();
  const SparseMatrix f = test::irregular_support(rows, columns, most, 5);
  const test::DeviceSupport support(f);
  const auto xt = normal(columns * tokens, 6), dyt = normal(rows * tokens, 7),
             start = normal(f.nonzeros(), 8);
  const float scale = 1.7f;
  test::Tensors t;
  const Tensor txt = t.f32({columns, tokens}, xt), tdyt = t.f32({rows, tokens}, dyt),
               dvalues = t.f32({f.nonzeros()}, start), again = t.f32({f.nonzeros()}, start);
  test::run([&](Recorder& rec) {
    sddmm(rec, dvalues, tdyt, txt, support, scale);
    sddmm(rec, again, tdyt, txt, support, scale);
  });
  auto expected = cast<double>(start);
  reference::sddmm(expected, cast<double>(dyt), cast<double>(xt), f, static_cast<double>(scale));
  std::vector<double> magnitude, ax, ady;
  for (const float value : start) magnitude.push_back(std::abs(value));
  for (const float value : xt) ax.push_back(std::abs(value));
  for (const float value : dyt) ady.push_back(std::abs(value));
  reference::sddmm(magnitude, ady, ax, f, static_cast<double>(scale));
  test::expect_close(test::read(dvalues), expected, magnitude, tokens, "dvalues");
  EXPECT_EQ(test::read(dvalues), test::read(again)) << "same bits twice";
}

// One token; fewer than a chunk; several chunks with a tail; more coefficients in a row than are reduced at
// once.
INSTANTIATE_TEST_SUITE_P(shapes, SddmmShapes,
                         testing::Values(Case{1, 1, 1, 1}, Case{3, 5, 2, 1}, Case{17, 64, 9, 70},
                                         Case{40, 33, 20, 257}, Case{90, 172, 80, 131}, Case{6, 65, 64, 1100},
                                         Case{7, 40000, 300, 3}));

TEST(sddmm, refuses_other_shapes) {
  test::Tensors t;
  const test::DeviceSupport support(SparseMatrix{2, 4, {0, 0, 2}, {1, 3}});
  vk::Recorder rec(test::device());
  EXPECT_THROW(sddmm(rec, t.empty({2}), t.empty({2, 5}), t.empty({4, 6}), support, 1), Error);
  EXPECT_THROW(sddmm(rec, t.empty({3}), t.empty({2, 5}), t.empty({4, 5}), support, 1), Error);
}

}  // namespace
}  // namespace walsh

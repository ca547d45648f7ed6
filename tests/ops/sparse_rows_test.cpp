#include "ops/sparse_rows.h"

#include "ops/sparse_rows_reference.h"
#include "tests/support/numbers.h"
#include "tests/support/sparse.h"

namespace walsh {
namespace {

using test::cast;

TEST(sparse_rows, reference_gradient) {  // of Σ w·g by the values of F is what `sample` takes from g
  const SparseMatrix f = test::irregular_support(9, 7, 4, 1);
  const auto values = cast<double>(normal(f.nonzeros(), 2)), g = cast<double>(normal(5 * 7, 3));
  std::vector<double> dvalues(f.nonzeros(), 0.0);
  reference::sample(dvalues, g, f, 2, 0.3);
  test::expect_gradient(
      values, dvalues,
      [&](const std::vector<test::Complex>& c) {
        std::vector<test::Complex> w(5 * 7);
        reference::densify(w, c, f, 2, 0.3);
        test::Complex sum = 0;
        for (std::size_t i = 0; i < w.size(); ++i) sum += w[i] * g[i];
        return sum;
      },
      "dvalues");
}

struct Case {
  std::uint32_t rows, columns, most, first, count;
};

class SparseRowsShapes : public testing::TestWithParam<Case> {};

TEST_P(SparseRowsShapes, device_agrees_with_reference) {
  const auto [rows, columns, most, begin, count] = GetParam();
  const std::uint32_t first = begin;  // a lambda may capture it
  const SparseMatrix f = test::irregular_support(rows, columns, most, 5);
  const test::DeviceSupport support(f);
  const auto values = normal(f.nonzeros(), 6), start = normal(f.nonzeros(), 7),
             g = normal(std::size_t{count} * columns, 8);
  const float scale = 1.7f;
  test::Tensors t;
  const Tensor tvalues = t.f32({f.nonzeros()}, values), dvalues = t.f32({f.nonzeros()}, start),
               tg = t.f32({count, columns}, g), w = t.f32({count, columns}, g);
  test::run([&](Recorder& rec) {
    densify(rec, w, tvalues, support, first, scale);
    sample(rec, dvalues, tg, support, first, scale);
  });
  std::vector<float> dense(g.size());  // one product, so the same bits
  reference::densify(dense, values, f, first, static_cast<double>(scale));
  EXPECT_EQ(test::read(w), dense);
  auto expected = cast<double>(start);
  reference::sample(expected, cast<double>(g), f, first, static_cast<double>(scale));
  std::vector<double> magnitude, ag;
  for (const float value : start) magnitude.push_back(std::abs(value));
  for (const float value : g) ag.push_back(std::abs(value));
  reference::sample(magnitude, ag, f, first, static_cast<double>(scale));
  test::expect_close(test::read(dvalues), expected, magnitude, 1, "dvalues");
}

// One entry; a tile inside; the end of a matrix; rows of more coefficients than a workgroup has invocations.
INSTANTIATE_TEST_SUITE_P(shapes, SparseRowsShapes,
                         testing::Values(Case{1, 1, 1, 0, 1}, Case{17, 64, 9, 4, 7}, Case{40, 33, 20, 32, 8},
                                         Case{9, 400, 300, 0, 9}, Case{7, 40000, 300, 4, 3}));

TEST(sparse_rows, refuses_other_shapes) {
  test::Tensors t;
  const test::DeviceSupport support(SparseMatrix{2, 4, {0, 0, 2}, {1, 3}});
  vk::Recorder rec(test::device());
  EXPECT_THROW(densify(rec, t.empty({2, 5}), t.empty({2}), support, 0, 1), Error);
  EXPECT_THROW(densify(rec, t.empty({2, 4}), t.empty({2}), support, 1, 1), Error);
  EXPECT_THROW(sample(rec, t.empty({3}), t.empty({1, 4}), support, 1, 1), Error);
}

}  // namespace
}  // namespace walsh

#include "ops/add.h"

#include "tests/support/gpu.h"

namespace walsh {
namespace {

class AddShapes : public testing::TestWithParam<std::uint64_t> {};

TEST_P(AddShapes, sums_exactly_in_place_too) {
  const std::uint64_t n = GetParam();
  const auto a = normal(n, 1), b = normal(n, 2);
  std::vector<float> expected(n);
  for (std::size_t i = 0; i < n; ++i) expected[i] = a[i] + b[i];
  test::Tensors t;
  const Tensor y = t.empty({n}), a1 = t.f32({n}, a), b1 = t.f32({n}, b), a2 = t.f32({n}, a),
               b2 = t.f32({n}, b);
  test::run([&](Recorder& rec) {
    add(rec, y, a1, b1);
    add(rec, a2, a2, b1);
    add(rec, b2, a1, b2);
  });
  EXPECT_EQ(test::read(y), expected);
  EXPECT_EQ(test::read(a2), expected);
  EXPECT_EQ(test::read(b2), expected);
}

INSTANTIATE_TEST_SUITE_P(sizes, AddShapes, testing::Values(1, 255, 257, 74880));

TEST(add, refuses_by_name) {
  test::Tensors t;
  const Tensor a = t.empty({3}), b = t.u32({3}, {1, 2, 3});
  vk::Recorder rec(test::device());
  try {
    add(rec, a, a, b);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "add: b is u32, expected f32");
  }
}

}  // namespace
}  // namespace walsh

#include "ops/transpose.h"

#include "ops/transpose_reference.h"
#include "tests/support/gpu.h"

namespace walsh {
namespace {

class TransposeShapes : public testing::TestWithParam<std::pair<std::uint64_t, std::uint64_t>> {};

TEST_P(TransposeShapes, device_agrees_with_reference) {
  const auto [rows, columns] = GetParam();
  const auto x = normal(rows * columns, 1);
  test::Tensors t;
  const Tensor y = t.empty({columns, rows}), back = t.empty({rows, columns}), tx = t.f32({rows, columns}, x);
  test::run([&](Recorder& rec) {
    transpose(rec, y, tx);
    transpose(rec, back, y);
  });
  EXPECT_EQ(test::read(y), reference::transpose(x, rows));
  EXPECT_EQ(test::read(back), x);
}

INSTANTIATE_TEST_SUITE_P(shapes, TransposeShapes,
                         testing::Values(std::pair{1, 1}, std::pair{1, 40}, std::pair{33, 1},
                                         std::pair{32, 64}, std::pair{37, 95}, std::pair{130, 576}));

TEST(transpose, refuses_a_wrong_shape) {
  test::Tensors t;
  const Tensor x = t.empty({2, 8}), y = t.empty({2, 8});
  vk::Recorder rec(test::device());
  EXPECT_THROW(transpose(rec, y, x), Error);
}

}  // namespace
}  // namespace walsh

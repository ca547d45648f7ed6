#include "ops/scatter.h"

#include "tests/support/gpu.h"

namespace walsh {
namespace {

TEST(scatter, rows_land_where_the_index_says) {
  test::Tensors t;
  const std::vector<float> past = normal(5 * 300, 1), fresh = normal(3 * 300, 2);
  const Tensor y = t.f32({5, 3, 100}, past), x = t.f32({3, 3, 100}, fresh), index = t.u32({3}, {4, 9, 0});
  test::run([&](Recorder& rec) { scatter_rows(rec, y, x, index); });
  std::vector<float> expected = past;
  std::copy_n(fresh.begin(), 300, expected.begin() + 4 * 300);
  std::copy_n(fresh.begin() + 600, 300, expected.begin());
  EXPECT_EQ(test::read(y), expected);
}

}  // namespace
}  // namespace walsh

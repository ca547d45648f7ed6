#include "ops/scale.h"

#include "tests/support/gpu.h"

namespace walsh {
namespace {

TEST(scale, multiplies_exactly_in_place_too) {
  for (const std::uint64_t n : {1, 255, 257, 74880}) {
    const auto x = normal(n, 1);
    std::vector<float> expected(n);
    for (std::size_t i = 0; i < n; ++i) expected[i] = 0.37f * x[i];
    test::Tensors t;
    const Tensor y = t.empty({n}), a = t.f32({n}, x), b = t.f32({n}, x);
    test::run([&](Recorder& rec) {
      scale(rec, y, a, 0.37f);
      scale(rec, b, b, 0.37f);
    });
    EXPECT_EQ(test::read(y), expected) << n;
    EXPECT_EQ(test::read(b), expected) << n;
  }
}

}  // namespace
}  // namespace walsh

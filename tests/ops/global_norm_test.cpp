#include "ops/global_norm.h"

#include "ops/global_norm_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

// A range of one element, one within a workgroup's run of 65536, one of several runs and one beyond 64 runs.
TEST(global_norm, several_ranges_agree_with_reference) {
  std::vector<std::vector<double>> values;
  std::vector<Tensor> gradients;
  test::Tensors t;
  std::size_t total = 0;
  for (const std::uint64_t n : {1u, 300u, 65536u * 2 + 5, 65536u * 65 + 1}) {
    const auto g = normal(n, n);
    gradients.push_back(t.f32({n}, g));
    values.push_back(test::cast<double>(g));
    total += n;
  }
  const Tensor scratch = t.empty({global_norm_scratch(gradients)});
  for (const float max_norm : {0.0f, 1.0f, 1e6f}) {
    const Tensor norm = t.empty({2}), again = t.empty({2});
    test::run([&](Recorder& rec) {
      global_norm(rec, norm, gradients, scratch, max_norm);
      global_norm(rec, again, gradients, scratch, max_norm);
    });
    const auto expected = reference::global_norm<double>(values, max_norm);
    const auto got = test::read(norm);
    EXPECT_NEAR(got[0], expected[0], tolerance(static_cast<double>(total)) * 0x1p-24 * expected[0]);
    EXPECT_NEAR(got[1], expected[1], tolerance(static_cast<double>(total)) * 0x1p-24 * expected[1]);
    EXPECT_EQ(got, test::read(again));
    if (max_norm != 1) {
      EXPECT_EQ(got[1], 1) << "nothing to clip";
    }
  }
}

TEST(global_norm, every_element_counts_once) {
  test::Tensors t;
  const std::uint64_t n = 65536 + 300;
  for (const std::uint64_t at : {0, 255, 256, 65535, 65536, 65536 + 299}) {
    std::vector<float> g(n, 0);
    g[at] = 3;
    const std::vector<Tensor> gradients = {t.f32({n}, g), t.f32({2}, {0, 4})};
    const Tensor norm = t.empty({2}), scratch = t.empty({global_norm_scratch(gradients)});
    test::run([&](Recorder& rec) { global_norm(rec, norm, gradients, scratch, 0); });
    EXPECT_EQ(test::read(norm), (std::vector<float>{5, 1})) << at;
  }
}

TEST(global_norm, zero_gradients_are_not_scaled) {
  test::Tensors t;
  const std::vector<Tensor> gradients = {t.zeros({1000})};
  const Tensor norm = t.empty({2}), scratch = t.empty({global_norm_scratch(gradients)});
  test::run([&](Recorder& rec) { global_norm(rec, norm, gradients, scratch, 1); });
  EXPECT_EQ(test::read(norm), (std::vector<float>{0, 1}));
}

// Ranges are summed side by side: only the last dispatch waits for them.
TEST(global_norm, ranges_need_no_barrier_between_them) {
  test::Tensors t;
  const std::vector<Tensor> gradients = {t.zeros({1000}), t.zeros({10}), t.zeros({100000})};
  const Tensor norm = t.empty({2}), scratch = t.empty({global_norm_scratch(gradients)});
  vk::Recorder rec(test::device());
  global_norm(rec, norm, gradients, scratch, 1);
  EXPECT_EQ(rec.finish().barriers(), 1u);
}

TEST(global_norm, refuses_too_small_a_scratch) {
  test::Tensors t;
  const std::vector<Tensor> gradients = {t.zeros({1000})};
  vk::Recorder rec(test::device());
  try {
    global_norm(rec, t.empty({2}), gradients, t.empty({3}), 1);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "global_norm: scratch has 3 elements, expected at least 64");
  }
}

}  // namespace
}  // namespace walsh

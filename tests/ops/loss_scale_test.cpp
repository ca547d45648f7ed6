#include "ops/loss_scale.h"

#include <limits>

#include "ops/loss_scale_reference.h"
#include "tests/support/gpu.h"

namespace walsh {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

// Norms of ten steps through one recording: growth up to the largest scale, overflow down to one.
TEST(loss_scale, device_agrees_with_reference) {
  const LossScaleOptions options{.max_norm = 0.75f, .growth_interval = 2, .largest = 8};
  const float norms[] = {3, 0.5f, 20, 8, 1, infinity, 7, -infinity, std::nanf(""), infinity, infinity, 2};
  test::Tensors t;
  const Tensor norm = t.empty({2}), state = t.f32({2}, {4, 0});
  vk::Recorder rec(test::device());
  loss_scale_update(rec, norm, state, options);
  vk::Recording recording = rec.finish();
  std::array<double, 2> expected_state{4, 0};
  for (const float n : norms) {
    test::device().upload(norm, std::vector<float>{n, 1});
    test::device().wait(test::device().submit(recording));
    std::array<double, 2> expected{n, 1};
    reference::loss_scale_update(expected, expected_state, options);
    const auto got = test::read(norm), got_state = test::read(state);
    if (std::isfinite(n)) {
      EXPECT_EQ(got[0], static_cast<float>(expected[0]));
      EXPECT_NEAR(got[1], expected[1], 4 * 0x1p-24 * expected[1]);
    } else {
      EXPECT_FALSE(std::isfinite(got[0]));
    }
    EXPECT_EQ(got_state[0], expected_state[0]) << n;
    EXPECT_EQ(got_state[1], expected_state[1]) << n;
  }
  EXPECT_EQ(expected_state[0], 1) << "the norms above reach the least scale";
}

TEST(loss_scale, multiplies_the_factor) {
  test::Tensors t;
  const Tensor scaled = t.empty({1}), factor = t.f32({1}, {0.125f}), state = t.f32({2}, {65536, 7});
  test::run([&](Recorder& rec) { loss_scale_apply(rec, scaled, factor, state); });
  EXPECT_EQ(test::read(scaled), (std::vector<float>{8192}));
}

TEST(loss_scale, refuses_by_name) {
  test::Tensors t;
  vk::Recorder rec(test::device());
  const Tensor norm = t.empty({2}), state = t.empty({3});
  try {
    loss_scale_update(rec, norm, state, {});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "loss_scale_update: state has shape [3], expected [2]");
  }
  EXPECT_THROW(loss_scale_update(rec, norm, norm, {.growth_interval = 0}), Error);
}

}  // namespace
}  // namespace walsh

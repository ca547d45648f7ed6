// AdamW with moments in 8 bits.
#include <cmath>

#include "ops/adamw.h"
#include "ops/adamw_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

using reference::HostMoments8;

std::vector<float> step_words(std::uint32_t t, double learning_rate, const AdamwOptions& options) {
  return {static_cast<float>(learning_rate), static_cast<float>(1 - std::pow(options.beta1, t)),
          static_cast<float>(1 - std::pow(options.beta2, t)), static_cast<float>(t)};
}

Moments8 zeros(test::Tensors& t, std::uint64_t elements) {
  const std::uint64_t blocks = (elements + 255) / 256;
  return {t.u32({blocks, 64}, std::vector<std::uint32_t>(blocks * 64)),
          t.u32({blocks, 64}, std::vector<std::uint32_t>(blocks * 64)), t.zeros({blocks, 2})};
}

HostMoments8 read_moments(const Moments8& moments, std::size_t elements) {
  HostMoments8 host;
  const auto unpack = [&](const Tensor& words) {
    std::vector<std::uint8_t> codes;
    for (const std::uint32_t word : test::device().download<std::uint32_t>(words))
      for (int k = 0; k < 4; ++k) codes.push_back(static_cast<std::uint8_t>(word >> 8 * k));
    for (std::size_t i = elements; i < codes.size(); ++i) EXPECT_EQ(codes[i], 0) << "beyond the end";
    codes.resize(elements);
    return codes;
  };
  host.m = unpack(moments.m);
  host.v = unpack(moments.v);
  const auto largest = test::read(moments.largest);
  for (std::size_t b = 0; b < largest.size(); b += 2) host.largest.push_back({largest[b], largest[b + 1]});
  return host;
}

// Levels are monotonous, end at 1, and every value is found between its neighbours.
TEST(adamw8, levels_cover_their_range) {
  for (const std::uint32_t top : {127u, 255u}) {
    EXPECT_EQ(reference::moment_value(0, top), 0);
    EXPECT_EQ(reference::moment_value(top, top), 1);
    EXPECT_EQ(reference::moment_value(top - 8, top), 0.5f);
    for (std::uint32_t level = 1; level < top; ++level) {
      const float value = reference::moment_value(level, top), next = reference::moment_value(level + 1, top);
      EXPECT_NEAR(next / value, std::exp2(0.125), 1e-6);
      const auto [lower, chance] = reference::moment_level(0.75f * value + 0.25f * next, top, 0);
      EXPECT_EQ(lower, level);
      EXPECT_NEAR(chance, 0.25, 1e-5);
    }
  }
  EXPECT_EQ(reference::moment_level(1e-30f, 255, 1).first, 1u) << "v does not become 0";
  EXPECT_EQ(reference::moment_level(1e-30f, 127, 0).first, 0u);
}

// Six steps, each from what the device holds, so that one rounding to another level does not hide the next. A
// value that is at a level but for its last bits may come out one level off.
TEST(adamw8, device_agrees_with_reference) {
  for (const std::uint64_t n : {1u, 256u, 300u, 1500u}) {
    const AdamwOptions options{.weight_decay = 0.1};
    const std::uint32_t key = 12345;
    const float learning_rate = 0.01f, clip = 0.5f;
    test::Tensors t;
    const auto start = normal(n, 1);
    const Tensor parameter = t.f32({n}, start), gradient = t.empty({n}), step = t.empty({4}),
                 norm = t.f32({2}, {2, clip});
    const Moments8 moments = zeros(t, n);
    vk::Recorder rec(test::device());
    adamw8(rec, parameter, gradient, moments, step, norm, options, key);
    vk::Recording recording = rec.finish();
    std::size_t off = 0;
    for (std::uint32_t s = 1; s <= 6; ++s) {
      std::vector<float> p = test::read(parameter);
      HostMoments8 host = read_moments(moments, n);
      auto g = normal(n, 10 + s);
      for (std::size_t i = 0; i < n; i += 3) g[i] *= 1e-3f;  // blocks of unlike sizes
      if (n > 1) g[1] = 0;
      test::device().upload(gradient, g);
      test::device().upload(step, step_words(s, learning_rate, options));
      test::device().wait(test::device().submit(recording));
      reference::adamw8(p, g, host, s, learning_rate, clip, options, key);
      EXPECT_EQ(test::read(gradient), std::vector<float>(n, 0.0f));
      const auto got = test::read(parameter);
      for (std::size_t i = 0; i < n; ++i) EXPECT_NEAR(got[i], p[i], 1e-5 * (std::abs(p[i]) + learning_rate));
      const HostMoments8 found = read_moments(moments, n);
      for (std::size_t b = 0; b < host.largest.size(); ++b) {
        EXPECT_NEAR(found.largest[b][0], host.largest[b][0], 1e-6 * host.largest[b][0]);
        EXPECT_NEAR(found.largest[b][1], host.largest[b][1], 1e-6 * host.largest[b][1]);
      }
      for (std::size_t i = 0; i < n; ++i) {
        EXPECT_LE(std::abs(found.m[i] - host.m[i]), 1) << i;
        EXPECT_LE(std::abs(found.v[i] - host.v[i]), 1) << i;
        off += found.m[i] != host.m[i] || found.v[i] != host.v[i];
      }
      EXPECT_TRUE(n == 1 || (found.m[1] & 127) == 0) << "no gradient, no moment";
      EXPECT_TRUE(n == 1 || found.v[1] == 0);
    }
    EXPECT_LE(off, 1 + n / 500);
  }
}

// Rounding has no bias: equal elements under one gradient keep, in the mean, the moments of fp32.
TEST(adamw8, moments_are_right_in_the_mean) {
  const std::uint64_t n = 65536;
  const AdamwOptions options;
  test::Tensors t;
  const Tensor parameter = t.zeros({n}), gradient = t.empty({n}), step = t.empty({4}),
               norm = t.f32({2}, {1, 1});
  const Moments8 moments = zeros(t, n);
  vk::Recorder rec(test::device());
  adamw8(rec, parameter, gradient, moments, step, norm, options, 7);
  vk::Recording recording = rec.finish();
  std::vector<double> p(n), m(n), v(n);
  const int steps = 20;
  for (int s = 1; s <= steps; ++s) {
    std::vector<float> g(n);
    for (std::size_t i = 0; i < n; ++i) g[i] = i % 256 == 0 ? 1.0f : 0.3f / static_cast<float>(s);
    test::device().upload(gradient, g);
    test::device().upload(step, step_words(static_cast<std::uint32_t>(s), 1e-3, options));
    test::device().wait(test::device().submit(recording));
    reference::adamw<double>(p, test::cast<double>(g), m, v, s, 1e-3, 1, options);
  }
  const HostMoments8 host = read_moments(moments, n);
  double sum_m = 0, sum_v = 0;
  std::size_t count = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (i % 256 == 0) continue;
    sum_m += host.largest[i / 256][0] * reference::moment_value(host.m[i] & 127, 127);
    sum_v += host.largest[i / 256][1] * reference::moment_value(host.v[i], 255);
    ++count;
  }
  // Levels stand 9 % apart, so a rounding has a standard deviation of 4.5 % at most, those of twenty steps
  // 20 %, and the mean of 65280 elements 0.08 %. A v that stayed on its level would be off by far more.
  EXPECT_NEAR(sum_m / static_cast<double>(count), m[1], 0.004 * m[1]);
  EXPECT_NEAR(sum_v / static_cast<double>(count), v[1], 0.004 * v[1]);
}

TEST(adamw8, a_norm_that_is_not_finite_changes_nothing_but_the_gradient) {
  test::Tensors t;
  const AdamwOptions options;
  const Tensor parameter = t.f32({2}, {1, 2}), gradient = t.f32({2}, {3, 4}),
               step = t.f32({4}, step_words(3, 0.25, options)),
               norm = t.f32({2}, {std::numeric_limits<float>::infinity(), 1});
  const Moments8 moments = zeros(t, 2);
  test::device().upload(moments.m, std::vector<std::uint32_t>(64, 0x01020304));
  test::run([&](Recorder& rec) { adamw8(rec, parameter, gradient, moments, step, norm, options, 1); });
  EXPECT_EQ(test::read(parameter), (std::vector<float>{1, 2}));
  EXPECT_EQ(test::read(gradient), (std::vector<float>{0, 0}));
  EXPECT_EQ(test::device().download<std::uint32_t>(moments.m), std::vector<std::uint32_t>(64, 0x01020304));
}

TEST(adamw8, refuses_by_name) {
  test::Tensors t;
  const Tensor x = t.empty({300}), four = t.empty({4}), norm = t.empty({2});
  vk::Recorder rec(test::device());
  try {
    adamw8(rec, x, x, zeros(t, 200), four, norm, {}, 1);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "adamw8: m has shape [1, 64], expected [2, 64]");
  }
}

}  // namespace
}  // namespace walsh

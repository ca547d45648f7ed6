// Codes are rounded to the nearest whole number with ties to even (shaders/lib/round_even.glsl) on every
// driver, over ties, their neighbours, and magnitudes from the smallest to the largest float. The host's
// nearbyint is the measure.
#include <cmath>

#include "ops/fake_quant.h"
#include "ops/requantize.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

/// Every tie within `reach`, the floats beside it, powers of two of both signs, and some normal numbers.
std::vector<float> positions(int reach) {
  std::vector<float> x;
  for (int whole = -reach; whole < reach; ++whole) {
    const float tie = static_cast<float>(whole) + 0.5f;
    for (const float value :
         {static_cast<float>(whole), tie, std::nextafter(tie, -1e9f), std::nextafter(tie, 1e9f)})
      x.push_back(value);
  }
  for (int exponent = -126; exponent < 128; ++exponent) {
    for (const float value :
         {std::ldexp(1.0f, exponent), std::ldexp(1.5f, exponent), std::ldexp(1.9999999f, exponent)}) {
      x.push_back(value);
      x.push_back(-value);
    }
  }
  for (const float value : normal(5000, 1)) x.push_back(value * static_cast<float>(reach) / 2);
  while (x.size() % 8 != 0) x.push_back(0.5f);
  return x;
}

// s = 1 and b = 0: the weight is round(clamp(w0)).
TEST(rounding, codes_of_fake_quant) {
  const auto x = positions(200);
  const std::uint32_t count = static_cast<std::uint32_t>(x.size());
  for (const std::uint32_t group_size : {8u, 4u}) {  // in runs of 8, and one by one
    test::Tensors t;
    const Tensor base = t.f32({1, count}, x), product = t.zeros({1, count}),
                 scale = t.f32({1, count / group_size}, std::vector<float>(count / group_size, 1)),
                 w = t.empty({1, count});
    test::run([&](Recorder& rec) {
      fake_quant_forward(rec, w, base, product, scale, {},
                         {.bits = 8, .group_size = group_size, .half_grid = false});
    });
    const auto got = test::read(w);
    for (std::size_t i = 0; i < x.size(); ++i)
      ASSERT_EQ(got[i], std::nearbyint(std::clamp(x[i], -128.0f, 127.0f))) << fmt::format("{:a}", x[i]);
  }
}

// A frozen phi of 0, packed (a whole number) or as floats: the code is clip(round(x)).
TEST(rounding, codes_of_requantize) {
  const auto x = positions(200);
  const std::uint32_t count = static_cast<std::uint32_t>(x.size());
  for (const bool whole : {true, false}) {
    test::Tensors t;
    FrozenPhi phi{.columns = count, .bits = 8};
    if (whole) {
      phi.packed =
          t.u32({1, count / 4}, std::vector<std::uint32_t>(count / 4, 0x80808080u));  // 128 + lowest = 0
    } else {
      phi.dense = t.zeros({1, count});
    }
    const Tensor product = t.f32({1, count}, x), scale = t.f32({1, 1}, {1}), w = t.empty({1, count});
    test::run([&](Recorder& rec) { requantize_forward(rec, w, phi, product, scale, {.group_size = count}); });
    const auto got = test::read(w);
    for (std::size_t i = 0; i < x.size(); ++i)
      ASSERT_EQ(got[i], std::clamp(std::nearbyint(x[i]), -128.0f, 127.0f)) << fmt::format("{:a}", x[i]);
  }
}

}  // namespace
}  // namespace walsh

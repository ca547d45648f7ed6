// One AdamW step in plain loops (Loshchilov and Hutter, 2019, alg. 2), on moments of any type and on those in
// 8 bits.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/philox.h"
#include "ops/adamw.h"

namespace walsh::reference {

/// Step number t = 1, 2, ...; `clip` multiplies the gradient.
template <typename T>
void adamw(std::vector<T>& parameter, const std::vector<T>& gradient, std::vector<T>& m, std::vector<T>& v,
           int t, T learning_rate, T clip, const AdamwOptions& options) {
  const T beta1(options.beta1), beta2(options.beta2);
  for (std::size_t i = 0; i < parameter.size(); ++i) {
    const T g = gradient[i] * clip;
    m[i] = beta1 * m[i] + (1 - beta1) * g;
    v[i] = beta2 * v[i] + (1 - beta2) * g * g;
    const T m_hat = m[i] / (1 - std::pow(beta1, t));
    const T v_hat = v[i] / (1 - std::pow(beta2, t));
    parameter[i] -= learning_rate * (m_hat / (std::sqrt(v_hat) + T(options.epsilon)) +
                                     T(options.weight_decay) * parameter[i]);
  }
}

/// Level `top` is 1, level L is 2^((L − top) / 8), level 0 is 0.
inline float moment_value(std::uint32_t level, std::uint32_t top) {
  if (level == 0) return 0;
  const std::uint32_t below = top - level, octaves = (below + 7) / 8;
  return static_cast<float>(std::exp2((8 * octaves - below) / 8.0)) *
         std::ldexp(1.0f, -static_cast<int>(octaves));
}

/// The level at or below r, and the chance of the one above it that makes the mean r.
inline std::pair<std::uint32_t, float> moment_level(float r, std::uint32_t top, std::uint32_t least) {
  if (r <= 0) return {0, 0};
  if (r >= 1) return {top, 0};
  std::uint32_t level = top;
  while (level > 0 && moment_value(level, top) > r) --level;
  if (level < least) return {least, 0};
  const float from = moment_value(level, top), to = moment_value(level + 1, top);
  return {level, (r - from) / (to - from)};
}

struct HostMoments8 {
  std::vector<std::uint8_t> m, v;             // a code an element
  std::vector<std::array<float, 2>> largest;  // of a block
};

/// Step t = 1, 2, ... in fp32, as the kernel does it; `parameter` and `moments` become the next.
inline void adamw8(std::vector<float>& parameter, const std::vector<float>& gradient, HostMoments8& moments,
                   std::uint32_t t, float learning_rate, float clip, const AdamwOptions& options,
                   std::uint32_t key) {
  const auto beta1 = static_cast<float>(options.beta1), beta2 = static_cast<float>(options.beta2);
  const auto rest1 = static_cast<float>(1 - options.beta1), rest2 = static_cast<float>(1 - options.beta2);
  const auto bias1 = static_cast<float>(1 - std::pow(options.beta1, t)),
             bias2 = static_cast<float>(1 - std::pow(options.beta2, t));
  for (std::size_t block = 0; block < moments.largest.size(); ++block) {
    const std::size_t begin = block * Moments8::block,
                      end = std::min(parameter.size(), begin + Moments8::block);
    std::vector<float> first, second;
    const auto [scale_m, scale_v] = moments.largest[block];
    std::array<float, 2> most{};
    for (std::size_t i = begin; i < end; ++i) {
      const float g = gradient[i] * clip, magnitude = scale_m * moment_value(moments.m[i] & 127, 127);
      first.push_back(beta1 * (moments.m[i] > 127 ? -magnitude : magnitude) + rest1 * g);
      second.push_back(beta2 * scale_v * moment_value(moments.v[i], 255) + rest2 * g * g);
      parameter[i] -=
          learning_rate *
          (first.back() / bias1 / (std::sqrt(second.back() / bias2) + static_cast<float>(options.epsilon)) +
           static_cast<float>(options.weight_decay) * parameter[i]);
      most = {std::max(most[0], std::abs(first.back())), std::max(most[1], second.back())};
    }
    moments.largest[block] = most;
    for (std::size_t i = begin; i < end; ++i) {
      const auto random = philox2x32({static_cast<std::uint32_t>(i), t}, key);
      const auto code = [&](float value, float largest, std::uint32_t top, std::uint32_t least,
                            std::uint32_t word) {
        if (largest <= 0) return 0u;
        const auto [level, chance] = moment_level(value / largest, top, least);
        return level + (static_cast<float>(word >> 8) * 0x1p-24f < chance ? 1u : 0u);
      };
      const float m = first[i - begin], v = second[i - begin];
      moments.m[i] =
          static_cast<std::uint8_t>(code(std::abs(m), most[0], 127, 0, random[0]) | (m < 0 ? 128u : 0u));
      moments.v[i] = static_cast<std::uint8_t>(code(v, most[1], 255, 1, random[1]));
    }
  }
}

}  // namespace walsh::reference

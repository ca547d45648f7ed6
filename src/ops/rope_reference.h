// Rotary position embedding in plain loops, on any scalar type. The angle is taken in double.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace walsh::reference {

/// Turns x [T, heads, width] in place; direction 1 is the forward, −1 its inverse.
template <typename T>
void rope(std::vector<T>& x, std::size_t heads, std::size_t width,
          const std::vector<std::uint32_t>& positions, const std::vector<float>& inverse_frequencies,
          int direction) {
  const std::size_t half = width / 2;
  for (std::size_t t = 0; t < positions.size(); ++t) {
    for (std::size_t h = 0; h < heads; ++h) {
      for (std::size_t d = 0; d < half; ++d) {
        const double angle = static_cast<double>(positions[t]) * inverse_frequencies[d] * direction;
        T& first = x[(t * heads + h) * width + d];
        T& second = x[(t * heads + h) * width + d + half];
        const T a = first, b = second;
        first = T(std::cos(angle)) * a - T(std::sin(angle)) * b;
        second = T(std::cos(angle)) * b + T(std::sin(angle)) * a;
      }
    }
  }
}

template <typename T>
void rope_forward(std::vector<T>& x, std::size_t heads, std::size_t width,
                  const std::vector<std::uint32_t>& positions,
                  const std::vector<float>& inverse_frequencies) {
  rope(x, heads, width, positions, inverse_frequencies, 1);
}

template <typename T>
void rope_backward(std::vector<T>& dx, std::size_t heads, std::size_t width,
                   const std::vector<std::uint32_t>& positions,
                   const std::vector<float>& inverse_frequencies) {
  rope(dx, heads, width, positions, inverse_frequencies, -1);
}

}  // namespace walsh::reference

// multiply_add in plain loops.
#pragma once

#include <cstdint>
#include <vector>

namespace walsh::reference {

template <typename T>
void multiply_add(std::vector<T>& y, std::size_t elements, std::uint32_t rounds, T x) {
  y.assign(elements, T(0));
  for (std::size_t i = 0; i < elements; ++i) {
    for (std::size_t k = 0; k < 8; ++k) {
      T a = x * static_cast<double>(i % 64 + k);
      for (std::uint32_t step = 0; step < 16 * rounds; ++step) a = a * x + x;
      y[i] += a;
    }
  }
}

}  // namespace walsh::reference

// multiply_matrices in plain loops: one subgroup's C [m, n].
#pragma once

#include <cstdint>
#include <vector>

namespace walsh::reference {

template <typename T>
std::vector<T> multiply_matrices(const std::vector<T>& ab, std::size_t m, std::size_t n, std::size_t k,
                                 std::uint32_t rounds) {
  std::vector<T> c(m * n, T(0 + 1 + 2 + 3 + 4 + 5 + 6 + 7));
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      T sum = T(0);
      for (std::size_t e = 0; e < k; ++e) sum += ab[i * k + e] * ab[m * k + e * n + j];
      c[i * n + j] += sum * T(8.0 * rounds);
    }
  }
  return c;
}

}  // namespace walsh::reference

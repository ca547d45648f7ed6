// The Hadamard transform of rows, in plain loops and O(n·(log2 m2 + ΣK)) additions a row, for any scalar
// type.
//   wht(x)   = scale · x · H_r       butterflies along m2, then the K axes multiplied by had_K from the left
//   wht_t(x) = scale · x · H_rᵀ      the same with had_Kᵀ
// A row is viewed as [K1, K2, …, m2], K1 slowest. wht_t(wht(x)) = scale²·n·x. Rows [count, n] are replaced in
// place. This is also what the host uses where a transform is needed there: initialisation, export, tests.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "ops/hadamard_layout.h"

namespace walsh::reference {

/// x · H_m2 for every group of m2 neighbours.
template <typename T>
void hadamard_butterflies(T* row, std::size_t n, std::size_t m2) {
  for (std::size_t half = 1; half < m2; half *= 2)
    for (std::size_t start = 0; start < n; start += 2 * half)
      for (std::size_t i = start; i < start + half; ++i) {
        const T a = row[i];
        const T b = row[i + half];
        row[i] = a + b;
        row[i + half] = a - b;
      }
}

/// One base: row viewed as [outer, K, inner], the K axis multiplied by had_K (or its transpose) from the
/// left.
template <typename T>
void hadamard_base_stage(T* row, std::size_t n, std::size_t inner, const HadamardBase& base, bool transpose) {
  constexpr std::size_t tile = 64;  // columns at a time: their sums stay in the first-level cache
  const std::uint32_t order = base.order;
  std::vector<T> sums(order * tile);
  for (std::size_t block = 0; block < n; block += order * inner)
    for (std::size_t column = 0; column < inner; column += tile) {
      const std::size_t width = std::min(tile, inner - column);
      T* x = row + block + column;
      std::fill(sums.begin(), sums.end(), T(0));
      for (std::uint32_t k = 0; k < order; ++k)
        for (std::uint32_t j = 0; j < order; ++j) {
          T* sum = sums.data() + k * tile;
          const T* term = x + j * inner;
          if (transpose ? base.negative(j, k) : base.negative(k, j))
            for (std::size_t i = 0; i < width; ++i) sum[i] -= term[i];
          else
            for (std::size_t i = 0; i < width; ++i) sum[i] += term[i];
        }
      for (std::uint32_t k = 0; k < order; ++k) std::copy_n(sums.data() + k * tile, width, x + k * inner);
    }
}

template <typename T>
void hadamard_rows(const Hadamard& h, T* rows, std::size_t count, bool transpose, T scale) {
  const std::size_t n = h.layout.n;
  for (T* row = rows; row != rows + count * n; row += n) {
    hadamard_butterflies(row, n, h.layout.m2);
    std::size_t inner = n;
    for (const HadamardBase& base : h.bases) {
      inner /= base.order;
      hadamard_base_stage(row, n, inner, base, transpose);
    }
    if (scale != T(1))
      for (std::size_t i = 0; i < n; ++i) row[i] *= scale;
  }
}

/// rows ← scale · rows · H_r
template <typename T>
void wht(const Hadamard& h, T* rows, std::size_t count, T scale = T(1)) {
  hadamard_rows(h, rows, count, false, scale);
}

/// rows ← scale · rows · H_rᵀ
template <typename T>
void wht_t(const Hadamard& h, T* rows, std::size_t count, T scale = T(1)) {
  hadamard_rows(h, rows, count, true, scale);
}

}  // namespace walsh::reference

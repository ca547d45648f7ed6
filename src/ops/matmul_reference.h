// Matrix products in plain loops, on any scalar type. w: [m, n], x: [tokens, n], y: [tokens, m].
#pragma once

#include <cstddef>
#include <vector>

namespace walsh::reference {

/// y = x wᵀ + bias; an empty bias is none.
template <typename T>
void matmul_forward(std::vector<T>& y, const std::vector<T>& x, const std::vector<T>& w,
                    const std::vector<T>& bias, std::size_t m, std::size_t n) {
  const std::size_t tokens = x.size() / n;
  y.assign(tokens * m, T(0));
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t i = 0; i < m; ++i) {
      T sum = bias.empty() ? T(0) : bias[i];
      for (std::size_t j = 0; j < n; ++j) sum += x[t * n + j] * w[i * n + j];
      y[t * m + i] = sum;
    }
  }
}

/// dx += dy w, dw += dyᵀ x, dbias += Σ_t dy.
template <typename T>
void matmul_backward(std::vector<T>& dx, std::vector<T>& dw, std::vector<T>& dbias, const std::vector<T>& dy,
                     const std::vector<T>& x, const std::vector<T>& w, std::size_t m, std::size_t n) {
  const std::size_t tokens = dy.size() / m;
  dx.resize(tokens * n, T(0));
  dw.resize(m * n, T(0));
  dbias.resize(m, T(0));
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t i = 0; i < m; ++i) {
      dbias[i] += dy[t * m + i];
      for (std::size_t j = 0; j < n; ++j) {
        dx[t * n + j] += dy[t * m + i] * w[i * n + j];
        dw[i * n + j] += dy[t * m + i] * x[t * n + j];
      }
    }
  }
}

}  // namespace walsh::reference

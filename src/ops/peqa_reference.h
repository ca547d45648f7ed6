// PEQA in plain loops, on any scalar type. codes [m, n], zeros and scales [m, n/g].
#pragma once

#include <cstddef>
#include <vector>

namespace walsh::reference {

/// W = s ⊙ (q − z)
template <typename T>
std::vector<T> peqa_weight(const std::vector<double>& codes, const std::vector<double>& zeros,
                           const std::vector<T>& scales, std::size_t m, std::size_t n) {
  const std::size_t groups = scales.size() / m, g = n / groups;
  std::vector<T> w(m * n);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      const std::size_t k = i * groups + j / g;
      w[i * n + j] = scales[k] * T(codes[i * n + j] - zeros[k]);
    }
  }
  return w;
}

/// ds += Σ over a group of G ⊙ (q − z), G = dyᵀx; dy: [T, m], x: [T, n].
template <typename T>
void peqa_scale_gradient(std::vector<T>& ds, const std::vector<T>& dy, const std::vector<T>& x,
                         const std::vector<double>& codes, const std::vector<double>& zeros, std::size_t m,
                         std::size_t n) {
  const std::size_t groups = zeros.size() / m, g = n / groups, tokens = x.size() / n;
  ds.resize(zeros.size(), T(0));
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      T gradient(0);
      for (std::size_t t = 0; t < tokens; ++t) gradient += dy[t * m + i] * x[t * n + j];
      const std::size_t k = i * groups + j / g;
      ds[k] += gradient * T(codes[i * n + j] - zeros[k]);
    }
  }
}

}  // namespace walsh::reference

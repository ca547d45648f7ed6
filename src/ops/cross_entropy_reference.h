// Cross entropy in plain loops, on any scalar type.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace walsh::reference {

/// loss [R] unscaled and gradient [R, V] = (softmax − onehot) · loss_scale; a target of −1 masks its row.
template <typename T>
void cross_entropy(std::vector<T>& loss, std::vector<T>& gradient, const std::vector<T>& logits,
                   const std::vector<std::int32_t>& targets, const T& loss_scale) {
  using std::exp, std::log, std::real;
  const std::size_t rows = targets.size(), vocabulary = logits.size() / rows;
  loss.assign(rows, T(0));
  gradient.assign(logits.size(), T(0));
  for (std::size_t r = 0; r < rows; ++r) {
    if (targets[r] < 0) continue;
    const T* x = logits.data() + r * vocabulary;
    T* dx = gradient.data() + r * vocabulary;
    const T largest =
        *std::max_element(x, x + vocabulary, [](const T& a, const T& b) { return real(a) < real(b); });
    T sum(0);
    for (std::size_t v = 0; v < vocabulary; ++v) sum += exp(x[v] - largest);
    loss[r] = log(sum) + (largest - x[targets[r]]);
    for (std::size_t v = 0; v < vocabulary; ++v) dx[v] = exp(x[v] - largest) / sum * loss_scale;
    dx[targets[r]] -= loss_scale;
  }
}

}  // namespace walsh::reference

// The norm of several ranges and its clip factor in plain loops.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace walsh::reference {

template <typename T>
std::array<T, 2> global_norm(const std::vector<std::vector<T>>& gradients, T max_norm) {
  T sum(0);
  for (const auto& gradient : gradients) {
    for (const T g : gradient) sum += g * g;
  }
  const T norm = std::sqrt(sum);
  return {norm, max_norm > 0 ? std::min(T(1), max_norm / (norm + T(1e-6))) : T(1)};
}

}  // namespace walsh::reference

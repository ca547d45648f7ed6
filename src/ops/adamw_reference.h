// One AdamW step in plain loops (Loshchilov and Hutter, 2019, alg. 2).
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

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

}  // namespace walsh::reference

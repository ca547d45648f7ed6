// SwiGLU in plain loops, on any scalar type.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace walsh::reference {

template <typename T>
T sigmoid(const T& x) {
  using std::exp;
  return T(1) / (T(1) + exp(-x));
}

template <typename T>
void swiglu_forward(std::vector<T>& y, const std::vector<T>& gate, const std::vector<T>& up) {
  y.resize(gate.size());
  for (std::size_t i = 0; i < gate.size(); ++i) y[i] = gate[i] * sigmoid(gate[i]) * up[i];
}

template <typename T>
void swiglu_backward(std::vector<T>& dgate, std::vector<T>& dup, const std::vector<T>& dy,
                     const std::vector<T>& gate, const std::vector<T>& up) {
  dgate.resize(gate.size());
  dup.resize(gate.size());
  for (std::size_t i = 0; i < gate.size(); ++i) {
    const T s = sigmoid(gate[i]);
    dgate[i] = dy[i] * up[i] * s * (T(1) + gate[i] * (T(1) - s));
    dup[i] = dy[i] * gate[i] * s;
  }
}

}  // namespace walsh::reference

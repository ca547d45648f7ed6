// RMSNorm in plain loops, on any scalar type (float, double, std::complex<double> for the complex-step
// check).
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace walsh::reference {

template <typename T>
void rmsnorm_forward(std::vector<T>& y, std::vector<T>& rstd, const std::vector<T>& x,
                     const std::vector<T>& weight, double epsilon) {
  using std::sqrt;
  const std::size_t width = weight.size(), rows = x.size() / width;
  y.assign(x.size(), T(0));
  rstd.assign(rows, T(0));
  for (std::size_t r = 0; r < rows; ++r) {
    T squares(0);
    for (std::size_t c = 0; c < width; ++c) squares += x[r * width + c] * x[r * width + c];
    rstd[r] = T(1) / sqrt(squares / T(static_cast<double>(width)) + T(epsilon));
    for (std::size_t c = 0; c < width; ++c) y[r * width + c] = x[r * width + c] * rstd[r] * weight[c];
  }
}

template <typename T>
void rmsnorm_backward(std::vector<T>& dx, std::vector<T>& dweight, const std::vector<T>& dy,
                      const std::vector<T>& x, const std::vector<T>& rstd, const std::vector<T>& weight) {
  const std::size_t width = weight.size(), rows = x.size() / width;
  dx.assign(x.size(), T(0));
  dweight.resize(width, T(0));
  for (std::size_t r = 0; r < rows; ++r) {
    T mean(0);
    for (std::size_t c = 0; c < width; ++c)
      mean += dy[r * width + c] * weight[c] * x[r * width + c] * rstd[r];
    mean /= T(static_cast<double>(width));
    for (std::size_t c = 0; c < width; ++c) {
      const T n = x[r * width + c] * rstd[r];
      dx[r * width + c] = rstd[r] * (dy[r * width + c] * weight[c] - n * mean);
      dweight[c] += dy[r * width + c] * n;
    }
  }
}

}  // namespace walsh::reference

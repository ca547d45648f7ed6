// Comparing numbers: derived tolerances for kernels, complex steps for references.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <cstddef>
#include <vector>

#include "ops/tolerance.h"

namespace walsh::test {

using Complex = std::complex<double>;

template <typename To, typename From>
std::vector<To> cast(const std::vector<From>& values) {
  return {values.begin(), values.end()};
}

/// The kernels' one tolerance (src/ops/tolerance.h). `length`: terms of the reduction; `rounding`: what
/// rounded operands may add, in the same units.
inline void expect_close(const std::vector<float>& got, const std::vector<double>& expected,
                         const std::vector<double>& magnitude, double length, const char* what,
                         double rounding = 0) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  ASSERT_EQ(magnitude.size(), expected.size()) << what;
  const auto [worst, where] = worst_error(got, expected, magnitude);
  EXPECT_LE(worst, tolerance(length) + rounding)
      << what << "[" << where << "]: got " << got[where] << ", expected " << expected[where];
}

/// The same with one magnitude for all elements: the largest |expected|.
inline void expect_close(const std::vector<float>& got, const std::vector<double>& expected, double length,
                         const char* what) {
  double largest = 0;
  for (const double value : expected) largest = std::max(largest, std::abs(value));
  expect_close(got, expected, std::vector<double>(expected.size(), largest), length, what);
}

/// Complex-step check of a hand-written backward. `loss` maps complex inputs to a complex scalar; `gradient`
/// is d loss / d input in double. Every element's Im(loss(x + i·1e-50)) / 1e-50 must agree to 1e-12, relative
/// to the largest element.
template <typename Loss>
void expect_gradient(const std::vector<double>& input, const std::vector<double>& gradient, Loss&& loss,
                     const char* what) {
  ASSERT_EQ(input.size(), gradient.size()) << what;
  constexpr double step = 1e-50;
  std::vector<Complex> x = cast<Complex>(input);
  double largest = 1e-30, worst = 0;
  std::size_t where = 0;
  for (const double value : gradient) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] += Complex(0, step);
    const double derivative = loss(x).imag() / step;
    x[i] = input[i];
    const double error = std::abs(derivative - gradient[i]) / largest;
    if (!(error <= worst)) {
      worst = error;
      where = i;
    }
  }
  EXPECT_LE(worst, 1e-12) << what << "[" << where << "]";
}

}  // namespace walsh::test

// How far a kernel in fp32 may be from its reference: |got − expected| <= 4 · sqrt(length) · eps · magnitude,
// where magnitude is Σ|aᵢ·bᵢ| over the element's reduction (or the sum of the absolute values of the terms
// that were added), length the number of terms and eps = 2^-24. One constant for every op; rounding errors of
// a sum grow like a random walk.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

namespace walsh {

inline double tolerance(double length) { return 4 * std::sqrt(length); }

struct WorstError {
  double error = 0;       // in units of eps · magnitude; NaN when the kernel's result is
  std::size_t where = 0;  // index of the element
};

inline WorstError worst_error(const std::vector<float>& got, const std::vector<double>& expected,
                              const std::vector<double>& magnitude) {
  WorstError worst;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double unit = 0x1p-24 * magnitude[i] + std::numeric_limits<float>::min();
    const double error = std::abs(got[i] - expected[i]) / unit;
    if (!(error <= worst.error)) worst = {error, i};  // also when it is NaN
    if (std::isnan(error)) break;
  }
  return worst;
}

}  // namespace walsh

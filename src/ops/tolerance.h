// How far a kernel in fp32 may be from its reference: |got − expected| <= 4 · sqrt(length) · eps · magnitude,
// where magnitude is Σ|aᵢ·bᵢ| over the element's reduction (or the sum of the absolute values of the terms
// that were added), length the number of terms and eps = 2^-24. One constant for every op; rounding errors of
// a sum grow like a random walk.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "vk/device_info.h"

namespace walsh {

inline double tolerance(double length) { return 4 * std::sqrt(length); }

/// What a product may be off by in the same units beyond that, when both its operands are rounded: u to a
/// side, where u is 2^-11 (fp16) or 2^-8 (bf16), so (1 + u)² − 1 of Σ|aᵢ·bᵢ| at most.
inline double operand_rounding(vk::Precision operands) {
  if (operands == vk::Precision::fp32) return 0;
  const double u = operands == vk::Precision::fp16 ? 0x1p-11 : 0x1p-8;
  return (2 * u + u * u) * 0x1p24;
}

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

// The fixed-point store of LR-QAT's frozen Phi0 = w/s0 (arXiv 2406.06385): `bits` integer bits and 8 − bits
// fraction bits in one byte, signed in [Qn, Qp] or unsigned in [0, 2^bits − 1]. Rounded half-to-even, at most
// 2^(bits−9) away.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "quantize/grid.h"

namespace walsh {

template <typename T>
std::int8_t to_fixed8(T phi, std::uint32_t bits) {
  const T clipped = std::clamp(phi, static_cast<T>(lowest_code(bits)), static_cast<T>(highest_code(bits)));
  return static_cast<std::int8_t>(std::nearbyint(clipped * static_cast<T>(1 << (8 - bits))));
}

template <typename T>
std::uint8_t to_unsigned_fixed8(T phi, std::uint32_t bits) {
  const T clipped = std::clamp(phi, T{0}, static_cast<T>(code_steps(bits)));
  return static_cast<std::uint8_t>(std::nearbyint(clipped * static_cast<T>(1 << (8 - bits))));
}

/// Phi of a stored byte, signed or unsigned.
template <typename T>
T from_fixed8(int stored, std::uint32_t bits) {
  return static_cast<T>(stored) / static_cast<T>(1 << (8 - bits));
}

}  // namespace walsh

// LR-QAT's frozen Phi0 = φ(w0/s0 + z) (arXiv 2406.06385, section 3): a weight in units of its grid, in the
// form that is kept while training. z is the integer zero of an asymmetric grid, 0 of a symmetric one.
//   fp32, bf16  the value, not clipped: outliers may come back
//   fixed8      clipped to the grid, bits before the point and 8 − bits after it: Q4.4, Q3.5, Q2.6
//   integer     the code itself, bits bits
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "quantize/grid.h"

namespace walsh {

enum class PhiStore : std::uint8_t { fp32, bf16, fixed8, integer };

/// "fp32", "bf16", "fixed8" or "int"; refuses others.
PhiStore parse_phi_store(std::string_view name);

struct PhiFormat {
  PhiStore store = PhiStore::fixed8;
  std::uint32_t bits = 4;
  bool asymmetric = false;

  bool packed() const { return store == PhiStore::fixed8 || store == PhiStore::integer; }
  /// Bits after the point of packed values.
  std::uint32_t fraction() const { return store == PhiStore::fixed8 ? 8 - bits : 0; }
  int lowest() const { return asymmetric ? 0 : lowest_code(bits); }
  int highest() const { return asymmetric ? code_steps(bits) : highest_code(bits); }
};

/// Phi of a weight whose groups lie one after another; w.size() / s0.size() weights share a scale. `zeros` is
/// empty where symmetric. T is float or double.
template <typename T>
std::vector<T> make_phi(std::span<const T> w, std::span<const T> s0, std::span<const std::uint32_t> zeros,
                        const PhiFormat& format);

/// Packed values as the kernels read them: rows of `columns`, each a stream of bits + fraction bits of
/// (phi − lowest)·2^fraction, from a whole word on.
std::vector<std::uint32_t> pack_phi(std::span<const float> phi, std::uint32_t columns,
                                    const PhiFormat& format);

}  // namespace walsh

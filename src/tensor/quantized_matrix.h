// A quantised weight W [rows, columns] on the host, in the layout that the kernels read:
//   w[i,j] = scale[i,k] · (q[i,j] − zero[i,k]),  k = j / group_size,  0 <= q < 2^bits.
// Symmetric grids are stored unsigned too, with zero = 2^(bits−1). Grids with a float offset (GGUF's Q4_1):
//   w[i,j] = scale[i,k] · q[i,j] + offset[i,k],  both fp16.
// Where groups were formed in the order of activations, columns are stored in that order: `position` says
// where an input stands.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "base/half.h"

namespace walsh {

/// 32-bit words that hold `columns` codes of `bits` bits: a little-endian bit stream, a 3-bit code may
/// straddle words.
constexpr std::uint32_t words_per_row(std::uint32_t columns, std::uint32_t bits) {
  return static_cast<std::uint32_t>((std::uint64_t{columns} * bits + 31) / 32);
}

/// One group's grid as a word: the fp16 scale in the low half, the integer zero or the fp16 offset in the
/// high half.
constexpr std::uint32_t grid_word(std::uint16_t scale_f16, std::uint32_t zero) {
  return scale_f16 | (zero << 16);
}

struct QuantizedMatrix {
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  std::uint32_t bits = 4;        // 2, 3, 4 or 8
  std::uint32_t group_size = 0;  // divides columns; equal to columns: per channel
  bool symmetric = false;
  bool offset = false;
  std::vector<std::uint32_t> codes;          // [rows, words_per_row(columns, bits)]
  std::vector<std::uint32_t> grid;           // [rows, columns / group_size], see grid_word
  std::vector<std::uint32_t> position = {};  // [columns]: the stored column of input j; empty: j itself

  std::uint32_t groups() const { return columns / group_size; }

  std::uint32_t stored_column(std::uint32_t input) const {
    return position.empty() ? input : position[input];
  }
  /// `column` as stored.
  std::uint32_t code(std::uint32_t row, std::uint32_t column) const {
    const std::size_t bit = std::size_t{column} * bits;
    const std::uint32_t* words = codes.data() + std::size_t{row} * words_per_row(columns, bits) + bit / 32;
    const std::uint32_t shift = bit % 32;
    const std::uint64_t pair = words[0] | (shift + bits > 32 ? std::uint64_t{words[1]} << 32 : 0);
    return static_cast<std::uint32_t>(pair >> shift) & ((1u << bits) - 1);
  }
  float scale(std::uint32_t row, std::uint32_t group) const {
    return f16_to_float(static_cast<std::uint16_t>(grid[std::size_t{row} * groups() + group]));
  }
  std::uint32_t zero(std::uint32_t row, std::uint32_t group) const {
    return grid[std::size_t{row} * groups() + group] >> 16;
  }
  float weight(std::uint32_t row, std::uint32_t input) const {
    const std::uint32_t column = stored_column(input), k = column / group_size;
    if (offset)
      return scale(row, k) * static_cast<float>(code(row, column)) +
             f16_to_float(static_cast<std::uint16_t>(zero(row, k)));
    return scale(row, k) * (static_cast<float>(code(row, column)) - static_cast<float>(zero(row, k)));
  }
  /// The code whose weight is nearest, not clipped to the grid. `column` as stored.
  float code_of(std::uint32_t row, std::uint32_t column, float weight) const {
    const std::uint32_t k = column / group_size, high = zero(row, k);
    if (offset)
      return std::nearbyint((weight - f16_to_float(static_cast<std::uint16_t>(high))) / scale(row, k));
    return std::nearbyint(weight / scale(row, k)) + static_cast<float>(high);
  }
  /// Every weight, [rows, columns] by inputs.
  std::vector<float> weights() const {
    std::vector<float> all;
    all.reserve(std::size_t{rows} * columns);
    for (std::uint32_t i = 0; i < rows; ++i)
      for (std::uint32_t j = 0; j < columns; ++j) all.push_back(weight(i, j));
    return all;
  }
};

/// The same codes with float offsets: minima −scale · zero, rounded to fp16.
inline QuantizedMatrix with_offsets(QuantizedMatrix q) {
  if (q.offset) return q;
  for (std::uint32_t& word : q.grid) {
    const auto scale = static_cast<std::uint16_t>(word);
    word = grid_word(scale, float_to_f16(-(f16_to_float(scale) * static_cast<float>(word >> 16))));
  }
  q.offset = true;
  q.symmetric = false;
  return q;
}

}  // namespace walsh

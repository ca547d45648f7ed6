// Round-to-nearest: the grid of every group from its smallest and largest weight, then the nearest code of
// that grid.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "tensor/quantized_matrix.h"

namespace walsh {

/// One group's grid as it is stored: the scale rounded to fp16 and no smaller than 2^-14 (devices may flush
/// subnormal halves to zero), the zero chosen for that rounded scale. Codes are always computed for the
/// stored grid.
struct StoredGrid {
  float scale = 0;
  int zero = 0;
  std::uint32_t word = 0;  // see grid_word
};
StoredGrid stored_grid(float scale, int zero);
/// Asymmetric: min/max. Symmetric: s = 2·max|w|/(2^bits − 1), z = 2^(bits−1).
StoredGrid stored_grid(std::span<const float> group, std::uint32_t bits, bool symmetric);

/// The group size that `group_size` (-1: per channel) means for a width; refuses one that does not divide it,
/// and bits other than 2, 3, 4 and 8. `name` is the tensor's, for the message.
std::uint32_t checked_group_size(std::uint32_t columns, std::uint32_t bits, int group_size,
                                 std::string_view name);

/// Refuses a weight that is not finite and a group too wide for an fp16 scale, both with their place.
void require_quantizable(std::span<const float> weights, std::uint32_t rows, std::uint32_t columns,
                         std::uint32_t bits, int group_size, bool symmetric, std::string_view name);

/// Quantises W [rows, columns]; a weight that is not finite is refused with its place.
QuantizedMatrix quantize_rtn(std::span<const float> weights, std::uint32_t rows, std::uint32_t columns,
                             std::uint32_t bits, int group_size, bool symmetric, std::string_view name);

}  // namespace walsh

// Nothing but products of cooperative matrices: what it reaches is the limit that `walsh bench` holds
// products with operands of 16 bits against.
#pragma once

#include "ops/matrix_tile.h"

namespace walsh {

/// C_s = Σ_k (k + rounds · A B), k < 8, for every subgroup s. c: f32 [subgroups, m, n], ab: f32, A [m,
/// k] and behind it B [k, n], for the shape that the device multiplies with such `operands` (vk/matrices.h).
/// The subgroups are multiples of 4.
void multiply_matrices(Recorder& rec, const Tensor& c, const Tensor& ab, vk::Precision operands,
                       std::uint32_t rounds);

/// Multiplications and additions of the rounds in one subgroup.
constexpr double multiply_matrices_operations(const vk::MatrixShape& shape, std::uint32_t rounds) {
  return 2.0 * shape.m * shape.n * shape.k * 8 * rounds;
}

}  // namespace walsh

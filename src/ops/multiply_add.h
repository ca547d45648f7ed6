// Nothing but multiplications and additions: what it reaches is the arithmetic limit that `walsh bench` holds
// the other kernels against.
#pragma once

#include "ops/op.h"

namespace walsh {

/// y_i = Σ_k a_k, k < 8, after 16 · rounds times a_k = a_k x + x, from a_k = x (i mod 64 + k). y: f32.
void multiply_add(Recorder& rec, const Tensor& y, std::uint32_t rounds, float x);

/// Multiplications and additions of the rounds for one element.
constexpr double multiply_add_operations(std::uint32_t rounds) { return 8.0 * 2 * 16 * rounds; }

}  // namespace walsh

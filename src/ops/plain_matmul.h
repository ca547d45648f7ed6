// The yardstick of matrix products: one kernel of forty lines with no thought of any device. What is tuned
// must beat it by a stated factor (tests/ops/plain_matmul_test.cpp); nothing trains with it.
#pragma once

#include "ops/op.h"

namespace walsh {

/// y = x wᵀ. y: f32 [T, m], x: f32 [T, n], w: f32 [m, n], n a multiple of 4.
void plain_matmul(Recorder& rec, const Tensor& y, const Tensor& x, const Tensor& w);

}  // namespace walsh

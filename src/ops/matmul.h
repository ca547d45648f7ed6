// Products with a dense weight w [m, n] of f32, f16 or bf16: y = x wᵀ, its two gradients and the bias's.
// x: f32 [..., n], y: f32 [..., m]; all leading axes are tokens. Sums are fp32, in the order of the reduced
// index.
#pragma once

#include "ops/op.h"

namespace walsh {

/// y = x wᵀ (+ bias, f32 [m])
void matmul_forward(Recorder& rec, const Tensor& y, const Tensor& x, const Tensor& w,
                    const Tensor& bias = {});

/// dx = dy w, or dx += dy w
void matmul_backward(Recorder& rec, const Tensor& dx, const Tensor& dy, const Tensor& w,
                     bool accumulate = false);

/// dw += dyᵀ x, f32 [m, n]. With dy = x: a Gram matrix.
void matmul_backward_weight(Recorder& rec, const Tensor& dw, const Tensor& dy, const Tensor& x);

// The same with a tile of the weight: w (or dw) is rows first ... first + R of a matrix whose rows y and dy
// have as columns, first a multiple of 4. A method that makes its weight on the way holds one tile at a time.

/// y[:, first ... first + R) = x wᵀ (+ bias, f32 of all rows)
void matmul_forward_tile(Recorder& rec, const Tensor& y, const Tensor& x, const Tensor& w,
                         std::uint64_t first, const Tensor& bias = {});

/// dx = dy[:, first ... first + R) w, or dx += that
void matmul_backward_tile(Recorder& rec, const Tensor& dx, const Tensor& dy, const Tensor& w,
                          std::uint64_t first, bool accumulate = false);

/// dw += dy[:, first ... first + R)ᵀ x
void matmul_backward_weight_tile(Recorder& rec, const Tensor& dw, const Tensor& dy, const Tensor& x,
                                 std::uint64_t first);

/// dbias[i] += Σ_t dy[t,i], f32 [m]
void matmul_backward_bias(Recorder& rec, const Tensor& dbias, const Tensor& dy);

}  // namespace walsh

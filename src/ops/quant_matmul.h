// Products with a quantised weight W_q [m, n] (tensor/quantized_tensor.h), dequantised element by element in
// fp32 as scale · (code − zero), or scale · code + offset, before the product. x: f32 [..., n], y: f32 [...,
// m]; all leading axes are tokens.
#pragma once

#include <span>

#include "ops/op.h"
#include "tensor/quantized_tensor.h"

namespace walsh {

/// y = x W_qᵀ (+ bias, f32 [m])
void quant_matmul_forward(Recorder& rec, const Tensor& y, const Tensor& x, const QuantizedTensor& w,
                          const Tensor& bias = {});

/// dx = dy W_q, or dx += dy W_q
void quant_matmul_backward(Recorder& rec, const Tensor& dx, const Tensor& dy, const QuantizedTensor& w,
                           bool accumulate = false);

/// w = W_q, f32 [m, n]
void dequantize(Recorder& rec, const Tensor& w, const QuantizedTensor& q);

/// One of several products with weights that have as many columns.
struct QuantPart {
  Tensor y;  // of a forward; dy of a backward
  QuantizedTensor w;
  Tensor bias;  // f32 [m], or empty
};

/// y_i = x W_iᵀ (+ bias_i) for every part. One dispatch where their grids, their memory and the device allow.
void quant_matmul_forward(Recorder& rec, std::span<const QuantPart> parts, const Tensor& x);

/// dx = Σ_i dy_i W_i, likewise.
void quant_matmul_backward(Recorder& rec, const Tensor& dx, std::span<const QuantPart> parts,
                           bool accumulate = false);

}  // namespace walsh

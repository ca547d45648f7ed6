// Products with a quantised weight W_q [m, n] (tensor/quantized_tensor.h), dequantised element by element in
// fp32 as scale · (code − zero), or scale · code + offset, before the product. x: f32 [..., n], y: f32 [...,
// m]; all leading axes are tokens.
#pragma once

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

}  // namespace walsh

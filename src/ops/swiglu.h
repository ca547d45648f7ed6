// SwiGLU (Shazeer, 2020, arXiv 2002.05202, eq. 6): y = silu(gate) · up, silu(g) = g · σ(g), element by
// element.
#pragma once

#include "ops/op.h"

namespace walsh {

/// y, gate, up: f32, one shape.
void swiglu_forward(Recorder& rec, const Tensor& y, const Tensor& gate, const Tensor& up);

/// dgate, dup = the gradients; the sigmoid is computed again. No tensor may be another's memory.
void swiglu_backward(Recorder& rec, const Tensor& dgate, const Tensor& dup, const Tensor& dy,
                     const Tensor& gate, const Tensor& up);

}  // namespace walsh

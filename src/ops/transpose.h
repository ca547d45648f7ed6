// y = xᵀ: brings activations [T, n] into the layout [n, T] of the sparse products.
#pragma once

#include "ops/op.h"

namespace walsh {

/// y: f32 [n, R], x: f32 [R, n].
void transpose(Recorder& rec, const Tensor& y, const Tensor& x);

}  // namespace walsh

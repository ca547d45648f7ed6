// Element-wise sum, for residual connections.
#pragma once

#include "ops/op.h"

namespace walsh {

/// y = a + b: f32, one shape; y may be a or b.
void add(Recorder& rec, const Tensor& y, const Tensor& a, const Tensor& b);

}  // namespace walsh

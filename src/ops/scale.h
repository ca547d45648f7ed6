// A tensor times a number.
#pragma once

#include "ops/op.h"

namespace walsh {

/// y = factor · x: f32, one shape; y may be x.
void scale(Recorder& rec, const Tensor& y, const Tensor& x, float factor);

}  // namespace walsh

// y = xᵀ: brings activations [T, n] into the layout [n, T] of the sparse products.
#pragma once

#include <span>

#include "ops/op.h"

namespace walsh {

struct Transposition {
  Tensor y;  // f32 [n, R]
  Tensor x;  // f32 [R, n]
};

/// Of matrices with as many rows; one dispatch where their memory and the device allow.
void transpose(Recorder& rec, std::span<const Transposition> parts);

/// y: f32 [n, R], x: f32 [R, n].
void transpose(Recorder& rec, const Tensor& y, const Tensor& x);

}  // namespace walsh

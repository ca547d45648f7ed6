// L4Q's quantiser of a weight that a low-rank product has moved (arXiv 2402.04902, eq. 6 to 9; LSQ, arXiv
// 1902.08153, with an offset). For a tile [R, n] of a weight, with s and b a group of a row each:
//   v = (w0 + alpha·product − b)/s,  q = round(clamp(v, Qn, Qp)),  w = s·q + b
// Clamping comes before rounding, which is half-to-even and has derivative 1; the clamp passes gradient where
// v lies inside, by a tolerance: the scale at the start puts the largest weight of a group on Qn or Qp, and
// an ulp of the division must not decide whether that weight counts.
#pragma once

#include "ops/op.h"

namespace walsh {

struct FakeQuantOptions {
  std::uint32_t bits = 4;
  std::uint32_t group_size = 0;  // divides n
  float alpha = 1;
  float tolerance = 1e-5f;  // τ, in steps of the grid
  float grad_scale = 1;     // of the gradients of s and b
  bool half_grid = true;    // w is computed from a 16-bit scale and offset: see stored_affine
};

/// What a block with a 16-bit scale and offset holds: w = scale · (q − Qn) + low. The scale is at least
/// 2^-14.
struct StoredAffine {
  float scale;
  float low;
};
StoredAffine stored_affine(float scale, float offset, std::uint32_t bits);

/// w: f32 [R, n]; base: f32, f16 or bf16 [R, n]; product: f32 [R, n]; scale, offset: f32 [R, n / group_size];
/// an empty offset is zero.
void fake_quant_forward(Recorder& rec, const Tensor& w, const Tensor& base, const Tensor& product,
                        const Tensor& scale, const Tensor& offset, const FakeQuantOptions& options);

/// g holds ∂L/∂w and becomes ∂L/∂product; dscale and doffset += theirs. doffset is empty where offset is.
void fake_quant_backward(Recorder& rec, const Tensor& g, const Tensor& dscale, const Tensor& doffset,
                         const Tensor& base, const Tensor& product, const Tensor& scale, const Tensor& offset,
                         const FakeQuantOptions& options);

}  // namespace walsh

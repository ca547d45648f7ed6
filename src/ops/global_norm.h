// Norm of all gradients together and the factor that clips it (Pascanu et al., 2013, arXiv 1211.5063, alg.
// 1):
//   norm = {n, max_norm > 0 ? min(1, max_norm / (n + 1e-6)) : 1},  n = sqrt(Σ over all ranges g²).
// Sums are taken in two levels in an order that only the sizes fix; the factor stays on the device, where
// adamw reads it.
#pragma once

#include <span>

#include "ops/op.h"

namespace walsh {

/// f32 elements of scratch that these gradients need.
std::uint64_t global_norm_scratch(std::span<const Tensor> gradients);

/// norm: f32 [2]; gradients: f32, any shapes, each within one binding; scratch: f32, one axis, at least
/// global_norm_scratch(gradients) elements. max_norm 0: no clipping.
void global_norm(Recorder& rec, const Tensor& norm, std::span<const Tensor> gradients, const Tensor& scratch,
                 float max_norm);

}  // namespace walsh

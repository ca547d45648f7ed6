// RMSNorm over the last axis (Zhang and Sennrich, 2019, arXiv 1910.07467, eq. 4):
//   y = x · rstd · weight,  rstd = 1 / sqrt(mean(x²) + epsilon).
// Rows are all leading axes, so the per-head norm of Qwen3 is the same op on [T, H, D] with weight [D].
#pragma once

#include "ops/op.h"

namespace walsh {

/// y, x: f32 [..., width]; rstd: f32 [rows], kept for the backward; weight: f32 [width]. With an addend, of
/// sum = x + addend, which is written too.
void rmsnorm_forward(Recorder& rec, const Tensor& y, const Tensor& rstd, const Tensor& x,
                     const Tensor& weight, float epsilon, const Tensor& addend = {}, const Tensor& sum = {});

/// Such a norm, for ops that join it with what follows.
struct Norm {
  Tensor y, rstd, x, weight;
  float epsilon;
  Tensor addend{}, sum{};
};

inline void rmsnorm_forward(Recorder& rec, const Norm& n) {
  rmsnorm_forward(rec, n.y, n.rstd, n.x, n.weight, n.epsilon, n.addend, n.sum);
}

/// dx = the gradient of x, or dx += that. dx, dy, x: f32 [..., width].
void rmsnorm_backward(Recorder& rec, const Tensor& dx, const Tensor& dy, const Tensor& x, const Tensor& rstd,
                      const Tensor& weight, bool accumulate = false);

/// dweight += the gradient of weight, f32 [width].
void rmsnorm_backward_weight(Recorder& rec, const Tensor& dweight, const Tensor& dy, const Tensor& x,
                             const Tensor& rstd);

}  // namespace walsh

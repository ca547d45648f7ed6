// Cross entropy of a chunk of rows against target tokens, in nats, with the gradient in place:
//   loss[r] = log Σ_v exp(x[r,v]) − x[r,k],  k = targets[r]
//   ∂(loss_scale · loss[r]) / ∂x[r,v] = (softmax(x[r])[v] − [v = k]) · loss_scale
// A row's loss is also the negative log-probability of its token, which scores multiple choice.
#pragma once

#include "ops/op.h"

namespace walsh {

/// loss: f32 [R], unscaled; logits: f32 [R, V], overwritten with their gradient if `gradient`; targets: i32
/// [R], −1 masks a row (loss 0, gradient 0), any other value outside the vocabulary makes its loss NaN;
/// loss_scale: f32 [1] on the device, one over the number of target tokens of the optimizer step, read only
/// if `gradient`.
void cross_entropy(Recorder& rec, const Tensor& loss, const Tensor& logits, const Tensor& targets,
                   const Tensor& loss_scale, bool gradient);

}  // namespace walsh

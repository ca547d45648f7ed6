// Dynamic loss scaling (Micikevicius et al., 2018, arXiv 1710.03740, section 3.2): the gradient of the loss
// is multiplied by S on its way back, so that what is rounded to fp16 does not fall below fp16's range, and
// divided by S before it is used. Where that overflows the step is left out and S halves; after
// `growth_interval` steps without it S doubles. S is a power of two, so scaling rounds nothing; it lives on
// the device, and no step waits for the host.
#pragma once

#include "ops/op.h"

namespace walsh {

struct LossScaleOptions {
  float max_norm = 0;  // as in global_norm
  float growth_interval = 2000;
  float largest = 16777216;
};

/// scaled = factor · S. scaled, factor: f32 [1]; state: f32 [2] = {S, steps since it changed}.
void loss_scale_apply(Recorder& rec, const Tensor& scaled, const Tensor& factor, const Tensor& state);

/// After global_norm without clipping: norm = {n, clip factor / S} of the gradients divided by S, which is
/// what adamw takes, and the next S. Where the norm is not finite it stays so, and S halves.
void loss_scale_update(Recorder& rec, const Tensor& norm, const Tensor& state,
                       const LossScaleOptions& options);

}  // namespace walsh

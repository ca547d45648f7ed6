// AdamW: Adam with decoupled weight decay (Loshchilov and Hutter, 2019, arXiv 1711.05101, alg. 2) on fp32
// masters. What varies from step to step is read from the device, so that one recording serves all steps.
#pragma once

#include "ops/op.h"

namespace walsh {

struct AdamwOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
};

/// parameter, gradient, m, v: f32, one shape. The gradient is multiplied by norm[1], and zeroed for the next
/// accumulation. step: f32 [4] = {learning rate, 1 − beta1^t, 1 − beta2^t, t}; norm: f32 [2] of global_norm.
/// rate_scale multiplies the learning rate for this range. Where norm[0] is not finite the step changes
/// nothing but the gradient.
void adamw(Recorder& rec, const Tensor& parameter, const Tensor& gradient, const Tensor& m, const Tensor& v,
           const Tensor& step, const Tensor& norm, const AdamwOptions& options, float rate_scale = 1);

// The same with moments in 8 bits instead of 32, by blocks of 256 elements (the idea of Dettmers et al.,
// 2022, arXiv 2110.02861; levels and rounding are our own, see shaders/adamw_moments8.comp): 2.03 bytes an
// element instead of 8.

struct Moments8 {
  static constexpr std::uint64_t block = 256;  // elements that share their largest values

  Tensor m, v;     // u32 [blocks, 64]: four codes a word; m a sign above 7 bits of level, v a level
  Tensor largest;  // f32 [blocks, 2]: of |m| and v
};

/// As adamw, with step[3] = t, the number of the step: it and `key` choose the random numbers of the
/// rounding.
void adamw8(Recorder& rec, const Tensor& parameter, const Tensor& gradient, const Moments8& moments,
            const Tensor& step, const Tensor& norm, const AdamwOptions& options, std::uint32_t key,
            float rate_scale = 1);

}  // namespace walsh

//! variants: GRADIENT=0,1
// With M = max_v x[r,v], S = Σ_v exp(x[r,v] − M), k = targets[r]:
//   loss[r] = log S + (M − x[r,k]),   GRADIENT: x[r,v] ← (exp(x[r,v] − M) / S − [v = k]) · loss_scale
// One workgroup a row. M and S come from one pass: each lane keeps a running maximum and a sum relative to it (Milakov
// and Gimelshein, 2018, arXiv 1805.02867, alg. 3). Only differences to M enter, so that large logits lose nothing.
// k = −1 masks the row: loss 0, gradient 0. Any other k outside the vocabulary makes the loss NaN, gradient 0.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "cross_entropy.h"
#include "lib/index.glsl"
#include "lib/reduce.glsl"

layout(local_size_x = 256) in;
layout(binding = 0) writeonly buffer Loss { float loss[]; };
#if GRADIENT
layout(binding = 1) buffer Logits { float logits[]; };
#else
layout(binding = 1) readonly buffer Logits { float logits[]; };
#endif
layout(binding = 2) readonly buffer Targets { int targets[]; };
#if GRADIENT
layout(binding = 3) readonly buffer Scale { float loss_scale[]; };
#endif
layout(push_constant) uniform Push { CrossEntropyArgs args; };

const float lowest = -3.0e38;

float workgroup_max(float value) {
  const uint lane = gl_LocalInvocationID.x;
  reduce_shared[lane] = value;
  barrier();
  for (uint stride = 128; stride > 0; stride >>= 1) {
    if (lane < stride) reduce_shared[lane] = max(reduce_shared[lane], reduce_shared[lane + stride]);
    barrier();
  }
  const float result = reduce_shared[0];
  barrier();
  return result;
}

void main() {
  const uint row = row_index();
  if (row >= args.rows) return;
  const uint lane = gl_LocalInvocationID.x;
  const uint begin = row * args.vocabulary, end = begin + args.vocabulary;
  const int target = targets[row];
  if (target < 0 || uint(target) >= args.vocabulary) {
    if (lane == 0) loss[row] = target == -1 ? 0.0 : uintBitsToFloat(0x7fc00000u);
#if GRADIENT
    for (uint i = begin + lane; i < end; i += 256) logits[i] = 0.0;
#endif
    return;
  }

  float largest = lowest, sum = 0.0;
  for (uint i = begin + lane; i < end; i += 4 * 256) {  // four at a time share one rescaling
    vec4 x = vec4(logits[i], lowest, lowest, lowest);
    if (i + 256 < end) x.y = logits[i + 256];
    if (i + 512 < end) x.z = logits[i + 512];
    if (i + 768 < end) x.w = logits[i + 768];
    const float next = max(max(max(x.x, x.y), max(x.z, x.w)), largest);
    const vec4 e = exp(x - next);
    sum = sum * exp(largest - next) + ((e.x + e.y) + (e.z + e.w));
    largest = next;
  }
  const float target_logit = logits[begin + uint(target)];
  const float row_largest = workgroup_max(largest);
  const float row_sum = workgroup_sum(sum * exp(largest - row_largest));
  if (lane == 0) loss[row] = log(row_sum) + (row_largest - target_logit);
#if GRADIENT
  const float scale = loss_scale[0];
  const uint hot = begin + uint(target);
  for (uint i = begin + lane; i < end; i += 256) {
    logits[i] = (exp(logits[i] - row_largest) / row_sum - (i == hot ? 1.0 : 0.0)) * scale;
  }
#endif
}

// y[t,o] (+)= scale · Σ_k values[k] · xt[index[k], t],  k in [pointer[o], pointer[o+1])
// xt is transposed, so that neighbouring invocations, which are neighbouring tokens, read neighbouring words and share
// the coefficient. A workgroup makes a tile of 4·OUTPUTS outputs by 64·TOKENS tokens; it leaves through shared memory
// so that the writes to y [T, outputs] are runs too. PERMUTED: values[permutation[k]], for the column order.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "spmm.h"
#include "lib/index.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint PERMUTED = 0;
layout(constant_id = 1) const uint TOKENS = 4;   // of an invocation, at most 8
layout(constant_id = 2) const uint OUTPUTS = 4;  // of an invocation
layout(binding = 0) buffer Y { float y[]; };
layout(binding = 1) readonly buffer X { float xt[]; };
layout(binding = 2) readonly buffer Values { float values[]; };
layout(binding = 3) readonly buffer Pointer { uint pointer[]; };
layout(binding = 4) readonly buffer Index { uint index[]; };  // two to a word
layout(binding = 5) readonly buffer Permutation { uint permutation[]; };
layout(push_constant) uniform Push { SpmmArgs args; };

const uint PITCH = 64 * TOKENS + 1;
shared float tile[4 * OUTPUTS * PITCH];

void add_coefficient(inout float sums[8], uint k, uint at[8]) {
  const float value = values[PERMUTED == 1 ? permutation[k] : k];
  const uint first = (index[k >> 1] >> (16 * (k & 1)) & 0xffffu) * args.tokens;
  for (uint v = 0; v < TOKENS; ++v) sums[v] += value * xt[first + at[v]];
}

void main() {
  const uint across = (args.outputs + 4 * OUTPUTS - 1) / (4 * OUTPUTS);
  const uint token = row_index() / across * (64 * TOKENS);
  if (token >= args.tokens) return;
  const uint output_ = row_index() % across * (4 * OUTPUTS);
  const uint lane = gl_LocalInvocationID.x % 64;
  const uint team = gl_LocalInvocationID.x / 64;
  uint at[8];
  for (uint v = 0; v < TOKENS; ++v) at[v] = min(token + lane + 64 * v, args.tokens - 1);
  for (uint r = 0; r < OUTPUTS; ++r) {
    const uint row = team * OUTPUTS + r;
    float sums[8];
    for (uint v = 0; v < TOKENS; ++v) sums[v] = 0.0;
    if (output_ + row < args.outputs) {
      const uint end = pointer[output_ + row + 1];
      uint k = pointer[output_ + row];
      // Four coefficients an iteration: the loop's own cost, and llvmpipe ends loops after 65535 iterations in all.
      for (; k + 4 <= end; k += 4)
        for (uint u = 0; u < 4; ++u) add_coefficient(sums, k + u, at);
      for (; k < end; ++k) add_coefficient(sums, k, at);
    }
    for (uint v = 0; v < TOKENS; ++v) tile[row * PITCH + lane + 64 * v] = args.scale * sums[v];
  }
  barrier();
  for (uint i = gl_LocalInvocationID.x; i < 4 * OUTPUTS * 64 * TOKENS; i += 256) {
    const uint row = i % (4 * OUTPUTS);
    const uint t = i / (4 * OUTPUTS);
    if (token + t >= args.tokens || output_ + row >= args.outputs) continue;
    const uint o = (token + t) * args.outputs + output_ + row;
    const float sum = tile[row * PITCH + t];
    y[o] = args.accumulate == 1 ? y[o] + sum : sum;
  }
}

// Of every result: y[t,o] (+)= Σ_k scale · values[k] · xt[index[k], t],  k in [pointer[o], pointer[o+1]), over its parts
// xt is transposed, so that neighbouring invocations, which are neighbouring tokens, read neighbouring words and share
// the coefficient. A workgroup makes a tile of 8·OUTPUTS outputs by 128·QUADS tokens; it leaves through shared memory
// so that the writes to y [T, outputs] are runs too. PERMUTED: values[permutation[k]], for the column order.
//! variants: LANES=1,4
#version 460
#extension GL_GOOGLE_include_directive : require
#include "spmm.h"
#include "lib/index.glsl"
#include "lib/four_tokens.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint PERMUTED = 0;
layout(constant_id = 1) const uint QUADS = 1;    // of tokens, of an invocation; at most 4
layout(constant_id = 2) const uint OUTPUTS = 4;  // of an invocation
layout(binding = 0) buffer Y { float y[]; };
TOKENS_OF(1, X, xt);
layout(binding = 2) readonly buffer Values { float values[]; };
layout(binding = 3) readonly buffer Pointer { uint pointer[]; };
layout(binding = 4) readonly buffer Index { uint index[]; };  // two indices to a word
layout(binding = 5) readonly buffer Permutation { uint permutation[]; };
layout(push_constant) uniform Push { SpmmArgs args; };

const uint TOKENS = 128 * QUADS;
const uint PITCH = TOKENS + 1;
shared float tile[8 * OUTPUTS * PITCH];

void main() {
  const uint result = gl_WorkGroupID.z, outputs = args.outputs[result];
  const uint across = (outputs + 8 * OUTPUTS - 1) / (8 * OUTPUTS);
  const uint token = row_index() / across * TOKENS;
  if (token >= args.tokens) return;
  const uint first_output = row_index() % across * (8 * OUTPUTS);
  const uint lane = gl_LocalInvocationID.x % 32;
  const uint team = gl_LocalInvocationID.x / 32;
  const uint t = token + 4 * lane;
  for (uint r = 0; r < OUTPUTS; ++r) {
    const uint row = team * OUTPUTS + r;
    vec4 sums[4];
    for (uint q = 0; q < QUADS; ++q) sums[q] = vec4(0);
    if (first_output + row < outputs) {
      for (uint part = result; part < result + args.summed; ++part) {
        const uint of_row = args.pointer_at[part] + first_output + row;
        const uint end = pointer[of_row + 1];
        uint k = pointer[of_row];
        // Four coefficients an iteration: the loop's own cost, and llvmpipe ends loops after 65535 iterations in all.
        while (k < end) {
          for (uint u = 0; u < 4 && k < end; ++u, ++k) {
            const uint l = PERMUTED == 1 ? permutation[args.permutation_at[part] + k] : k;
            const float value = args.scale[part] * values[args.values_at[part] + l];
            const uint input_ = index[args.index_at[part] + (k >> 1)] >> (16 * (k & 1)) & 0xffffu;
            for (uint q = 0; q < QUADS; ++q)
              sums[q] += value * FOUR_TOKENS(xt, args.xt_at[part], input_, t + 128 * q, args.tokens);
          }
        }
      }
    }
    for (uint q = 0; q < QUADS; ++q)
      for (uint c = 0; c < 4; ++c) tile[row * PITCH + 128 * q + 4 * lane + c] = sums[q][c];
  }
  barrier();
  for (uint i = gl_LocalInvocationID.x; i < 8 * OUTPUTS * TOKENS; i += 256) {
    const uint row = i % (8 * OUTPUTS);
    const uint column = i / (8 * OUTPUTS);
    if (token + column >= args.tokens || first_output + row >= outputs) continue;
    const uint o = args.y_at[result] + (token + column) * outputs + first_output + row;
    const float sum = tile[row * PITCH + column];
    y[o] = args.accumulate == 1 ? y[o] + sum : sum;
  }
}

// Of every part: dvalues[l] += scale · Σ_t dyt[i_l,t] · xt[j_l,t]
// A workgroup takes 64 coefficients in row order, whatever rows they are of: rows differ in length, and a driver may
// bound a loop (llvmpipe: 65535 iterations). Each of two teams of 32 invocations keeps a chunk of 128·QUADS tokens of
// the row of dyt in registers while the row lasts, and the partial sums meet in shared memory at the end of a chunk:
// a coefficient costs one read of xt a token, contiguous across invocations.
//! variants: LANES=1,4
#version 460
#extension GL_GOOGLE_include_directive : require
#include "sddmm.h"
#include "lib/index.glsl"
#include "lib/four_tokens.glsl"
#include "lib/row_of_coefficient.glsl"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint QUADS = 4;  // of tokens, of an invocation; at most 4
layout(binding = 0) buffer Dvalues { float dvalues[]; };
TOKENS_OF(1, Dy, dyt);
TOKENS_OF(2, X, xt);
layout(binding = 3) readonly buffer Pointer { uint row_ptr[]; };
layout(binding = 4) readonly buffer Index { uint index[]; };  // two indices to a word
layout(push_constant) uniform Push { SddmmArgs args; };

shared float partial[64 * 33];  // [coefficient, invocation]

#define PART gl_WorkGroupID.z
#define POINTER(row) row_ptr[args.pointer_at[PART] + (row)]
ROW_OF_COEFFICIENT(POINTER, args.rows[PART])

void main() {
  const uint first = row_index() * 64;
  const uint nonzeros = args.nonzeros[PART];
  if (first >= nonzeros) return;
  const uint count = min(64, nonzeros - first);
  const uint lane = gl_LocalInvocationID.x % 32;
  const uint team = gl_LocalInvocationID.x / 32;
  const uint first_row = row_of(min(first + 32 * team, nonzeros - 1));
  float total = 0.0;
  for (uint token = 0; token < args.tokens; token += 128 * QUADS) {
    const uint t = token + 4 * lane;
    vec4 dy[4];
    uint row = first_row, row_end = 0;
    for (uint q = 32 * team; q < min(32 * team + 32, count); ++q) {
      const uint l = first + q;
      if (l >= row_end) {
        if (row_end > 0) row = l < POINTER(row + 2) ? row + 1 : row_of(l);
        row_end = POINTER(row + 1);
        for (uint v = 0; v < QUADS; ++v) {
          const uvec4 at = t + 128 * v + uvec4(0, 1, 2, 3);
          dy[v] = mix(vec4(0), FOUR_TOKENS(dyt, args.dyt_at[PART], row, at.x, args.tokens), lessThan(at, uvec4(args.tokens)));
        }
      }
      const uint column = index[args.index_at[PART] + (l >> 1)] >> (16 * (l & 1)) & 0xffffu;
      float sum = 0.0;
      for (uint v = 0; v < QUADS; ++v) sum += dot(dy[v], FOUR_TOKENS(xt, 0, column, t + 128 * v, args.tokens));
      partial[q * 33 + lane] = sum;
    }
    barrier();
    if (gl_LocalInvocationID.x < count)
      for (uint i = 0; i < 32; ++i) total += partial[gl_LocalInvocationID.x * 33 + i];
    barrier();
  }
  if (gl_LocalInvocationID.x < count)
    dvalues[args.values_at[PART] + first + gl_LocalInvocationID.x] += args.scale[PART] * total;
}

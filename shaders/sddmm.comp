// dvalues[l] += scale · Σ_t dyt[i_l,t] · xt[j_l,t]
// A workgroup takes 64 coefficients in row order, whatever rows they are of: rows differ in length, and a driver may
// bound a loop (llvmpipe: 65535 iterations). It keeps a chunk of 64·TOKENS tokens of the row of dyt in registers while
// the row lasts, and adds the invocations' partial sums in shared memory at the end of a chunk: a coefficient costs
// one read of xt a token, contiguous across invocations.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "sddmm.h"
#include "lib/index.glsl"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint TOKENS = 8;  // of an invocation, at most 8
layout(binding = 0) buffer Dvalues { float dvalues[]; };
layout(binding = 1) readonly buffer Dy { float dyt[]; };
layout(binding = 2) readonly buffer X { float xt[]; };
layout(binding = 3) readonly buffer Pointer { uint row_ptr[]; };
layout(binding = 4) readonly buffer Index { uint index[]; };  // two to a word
layout(push_constant) uniform Push { SddmmArgs args; };

shared float partial[64 * 65];  // [coefficient, invocation]

// The row of coefficient l: the last whose pointer is not beyond l.
uint row_of(uint l) {
  uint row = 0, after = args.rows;
  while (after - row > 1) {
    const uint middle = (row + after) / 2;
    if (row_ptr[middle] <= l) row = middle;
    else after = middle;
  }
  return row;
}

void main() {
  const uint first = row_index() * 64;
  if (first >= args.nonzeros) return;
  const uint count = min(64, args.nonzeros - first);
  const uint lane = gl_LocalInvocationID.x;
  float total = 0.0;
  for (uint token = 0; token < args.tokens; token += 64 * TOKENS) {
    float dy[8];
    uint at[8];
    for (uint v = 0; v < TOKENS; ++v) at[v] = min(token + lane + 64 * v, args.tokens - 1);
    uint row_end = 0;
    for (uint q = 0; q < count; ++q) {
      const uint l = first + q;
      if (l >= row_end) {
        const uint row = row_of(l);
        row_end = row_ptr[row + 1];
        for (uint v = 0; v < TOKENS; ++v)
          dy[v] = token + lane + 64 * v < args.tokens ? dyt[row * args.tokens + at[v]] : 0.0;
      }
      const uint start = (index[l >> 1] >> (16 * (l & 1)) & 0xffffu) * args.tokens;
      float sum = 0.0;
      for (uint v = 0; v < TOKENS; ++v) sum += dy[v] * xt[start + at[v]];
      partial[q * 65 + lane] = sum;
    }
    barrier();
    if (lane < count)
      for (uint i = 0; i < 64; ++i) total += partial[lane * 65 + i];
    barrier();
  }
  if (lane < count) dvalues[first + lane] += args.scale * total;
}

// dvalues[l] += scale · Σ_t dyt[i,t] · xt[j_l,t],  l in [row_ptr[i], row_ptr[i+1])
// A workgroup takes a row i. It keeps a chunk of 64·TOKENS tokens of the row of dyt in registers, runs over the row's
// coefficients, and adds the invocations' partial sums in shared memory, 64 coefficients at once: a coefficient costs
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

void main() {
  const uint row = row_index();
  if (row >= args.rows) return;
  const uint lane = gl_LocalInvocationID.x;
  const uint begin = row_ptr[row], end = row_ptr[row + 1];
  for (uint token = 0; token < args.tokens; token += 64 * TOKENS) {
    float dy[8];
    uint at[8];
    for (uint v = 0; v < TOKENS; ++v) {
      const uint t = token + lane + 64 * v;
      at[v] = min(t, args.tokens - 1);
      dy[v] = t < args.tokens ? dyt[row * args.tokens + t] : 0.0;
    }
    for (uint first = begin; first < end; first += 64) {
      const uint count = min(64, end - first);
      for (uint q = 0; q < count; ++q) {
        const uint l = first + q;
        const uint start = (index[l >> 1] >> (16 * (l & 1)) & 0xffffu) * args.tokens;
        float sum = 0.0;
        for (uint v = 0; v < TOKENS; ++v) sum += dy[v] * xt[start + at[v]];
        partial[q * 65 + lane] = sum;
      }
      barrier();
      if (lane < count) {
        float sum = 0.0;
        for (uint i = 0; i < 64; ++i) sum += partial[lane * 65 + i];
        dvalues[first + lane] += args.scale * sum;
      }
      barrier();
    }
  }
}

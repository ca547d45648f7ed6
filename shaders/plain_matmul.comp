// y[t,i] = Σ_j x[t,j] · w[i,j],  x [T, n], w [m, n], all f32; n a multiple of 4.
// A product as one writes it on the first day: an invocation sums a tile of 8 × 8 from memory, four values of j at a time.
// It stays as it is: the yardstick of the kernels that training uses.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "plain_matmul.h"

layout(local_size_x = 64) in;
layout(binding = 0) writeonly buffer Y { float y[]; };
layout(binding = 1) readonly buffer X { vec4 x[]; };
layout(binding = 2) readonly buffer W { vec4 w[]; };
layout(push_constant) uniform Push { PlainMatmulArgs args; };

void main() {
  const uint t0 = (gl_WorkGroupID.y * 8 + gl_LocalInvocationID.x / 8) * 8;
  const uint i0 = (gl_WorkGroupID.x * 8 + gl_LocalInvocationID.x % 8) * 8;
  if (t0 >= args.tokens || i0 >= args.m) return;
  float sum[8][8];
  for (uint t = 0; t < 8; ++t)
    for (uint i = 0; i < 8; ++i) sum[t][i] = 0.0;
  for (uint j = 0; j < args.n4; ++j) {
    vec4 a[8], b[8];
    for (uint t = 0; t < 8; ++t) a[t] = x[min(t0 + t, args.tokens - 1) * args.n4 + j];
    for (uint i = 0; i < 8; ++i) b[i] = w[min(i0 + i, args.m - 1) * args.n4 + j];
    for (uint t = 0; t < 8; ++t)
      for (uint i = 0; i < 8; ++i) sum[t][i] += dot(a[t], b[i]);
  }
  for (uint t = 0; t < 8; ++t)
    for (uint i = 0; i < 8; ++i)
      if (t0 + t < args.tokens && i0 + i < args.m) y[(t0 + t) * args.m + i0 + i] = sum[t][i];
}

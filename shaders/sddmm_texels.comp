// dvalues[l] += scale · Σ_t dyt[i_l,t] · xt[j_l,t] on drivers that run on the CPU (lib/gemm_texels.glsl says why): the
// twin of sddmm. A workgroup of 8 invocations takes 64 coefficients in row order. Each invocation keeps QUADS fours of
// tokens of the row of dyt in registers while the row lasts; the partial sums of 8 coefficients meet in shared memory.
// The tokens are a multiple of four.
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_samplerless_texture_functions : require
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"
#include "lib/row_of_coefficient.glsl"
#include "sddmm.h"

layout(local_size_x = 8) in;
layout(constant_id = 0) const uint QUADS = 4;
layout(binding = 0) buffer Dvalues { float dvalues[]; };
layout(binding = 1) uniform textureBuffer dyt;
layout(binding = 2) uniform textureBuffer xt;
layout(binding = 3) readonly buffer Pointer { uint row_ptr[]; };
layout(binding = 4) uniform utextureBuffer index;  // eight indices to a texel
layout(push_constant) uniform Push { SddmmArgs args; };

shared float partial[8 * 8];  // [coefficient, invocation]

ROW_OF_COEFFICIENT(row_ptr, args.rows)

void main() {
  const uint first = row_index() * 64, lane = gl_LocalInvocationID.x;
  if (first >= args.nonzeros) return;
  const uint end = min(first + 64, args.nonzeros), quads = args.tokens / 4;
  const uint first_row = row_of(first);
  for (uint token = 0; token < args.tokens; token += 32 * QUADS) {
    const uint quad = token / 4 + lane;
    vec4 dy[QUADS];
    uint row = first_row, row_end = 0;
    for (uint l8 = first; l8 < end; l8 += 8) {
      const uvec4 words = texelFetch(index, int(l8 / 8));
      for (uint e = 0; e < 8; ++e) {
        const uint l = l8 + e;
        if (l >= end) break;
        if (l >= row_end) {
          if (row_end > 0) row = l < row_ptr[row + 2] ? row + 1 : row_of(l);
          row_end = row_ptr[row + 1];
          [[unroll]] for (uint v = 0; v < QUADS; ++v) {
            const uint q = quad + 8 * v;
            const vec4 four = texelFetch(dyt, int(row * quads + min(q, quads - 1)));
            dy[v] = q < quads ? four : vec4(0);
          }
        }
        const uint column = words[e / 2] >> (16 * (e & 1)) & 0xffffu;
        vec4 sum = vec4(0);
        [[unroll]] for (uint v = 0; v < QUADS; ++v)
          sum += dy[v] * texelFetch(xt, int(column * quads + min(quad + 8 * v, quads - 1)));
        partial[e * 8 + lane] = (sum.x + sum.y) + (sum.z + sum.w);
      }
      barrier();
      const uint l = l8 + lane;
      if (l < end) {
        float total = 0.0;
        [[unroll]] for (uint i = 0; i < 8; ++i) total += partial[lane * 8 + i];
        dvalues[l] += args.scale * total;
      }
      barrier();
    }
  }
}

// dvalues[l] += scale · Σ_t dyt[i_l,t] · xt[j_l,t] on drivers that run on the CPU (lib/gemm_texels.glsl says why): the
// twin of sddmm. A coefficient an invocation, so that no sum crosses invocations. The tokens are a multiple of four.
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_samplerless_texture_functions : require
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"
#include "lib/row_of_coefficient.glsl"
#include "sddmm.h"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint QUADS = 4;  // of tokens, of an iteration
layout(binding = 0) buffer Dvalues { float dvalues[]; };
layout(binding = 1) uniform textureBuffer dyt;
layout(binding = 2) uniform textureBuffer xt;
layout(binding = 3) readonly buffer Pointer { uint row_ptr[]; };
layout(binding = 4) uniform utextureBuffer index;  // eight indices to a texel
layout(push_constant) uniform Push { SddmmArgs args; };

#define POINTER(row) row_ptr[row]
ROW_OF_COEFFICIENT(POINTER, args.rows[0])

void main() {
  const uint l = element_index(64);
  if (l >= args.nonzeros[0]) return;
  const uint quads = args.tokens / 4;
  const uint column = texelFetch(index, int(l / 8))[l / 2 % 4] >> (16 * (l & 1)) & 0xffffu;
  const uint dy = row_of(l) * quads, x = column * quads;
  vec4 sum = vec4(0);
  for (uint q = 0; q < quads; q += QUADS) {
    [[unroll]] for (uint v = 0; v < QUADS; ++v) sum += texelFetch(dyt, int(dy + q + v)) * texelFetch(xt, int(x + q + v));
  }
  dvalues[l] += args.scale[0] * ((sum.x + sum.y) + (sum.z + sum.w));
}

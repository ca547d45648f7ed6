// y = scale · had · x along the middle axis of the view [rows, ORDER, inner], or y += that: the twin of hadamard_base
// for drivers that run on the CPU (lib/gemm_texels.glsl says why). An invocation holds four neighbouring columns, which
// are read whole before they are written, so that y may be x. inner is a multiple of 4.
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_samplerless_texture_functions : require
#extension GL_GOOGLE_include_directive : require
#include "hadamard.h"
#include "lib/index.glsl"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint ORDER = 1;
layout(constant_id = 1) const uint ROWS_AT_ONCE = 1;
layout(constant_id = 2) const bool ACCUMULATE = false;
layout(binding = 0) writeonly buffer Y { vec4 y[]; };
layout(binding = 1) uniform textureBuffer x;
layout(binding = 2) uniform textureBuffer before;  // y, where the result is added to it
layout(binding = 3) uniform utextureBuffer signs;  // as in lib/hadamard.glsl
layout(push_constant) uniform Push { HadamardArgs args; };

const uint STRIDE = (ORDER + 3u) / 4u;  // texels of a block's signs

void main() {
  const uint quads = args.inner / 4u;
  const uint i = element_index(64);
  if (i >= args.rows * quads) return;
  const uint start = i / quads * ORDER * quads + i % quads;
  vec4 v[ORDER];
  [[unroll]] for (uint j = 0; j < ORDER; ++j) v[j] = texelFetch(x, int(start + j * quads));
  uint first = 0;
  for (;;) {  // the condition at the end: lib/gemm_texels.glsl says why
    vec4 sums[ROWS_AT_ONCE];
    [[unroll]] for (uint r = 0; r < ROWS_AT_ONCE; ++r) sums[r] = vec4(0);
    [[unroll]] for (uint j = 0; j < ORDER; ++j) {
      const uint negative = texelFetch(signs, int(args.signs / 4u + first / ROWS_AT_ONCE * STRIDE + j / 4u))[j % 4u];
      [[unroll]] for (uint r = 0; r < ROWS_AT_ONCE; ++r)
        sums[r] += uintBitsToFloat(floatBitsToUint(v[j]) ^ ((negative << (31u - r)) & 0x80000000u));
    }
    [[unroll]] for (uint r = 0; r < ROWS_AT_ONCE; ++r) {
      if (first + r < ORDER) {
        const uint at = start + (first + r) * quads;
        const vec4 scaled = args.scale * sums[r];
        y[at] = ACCUMULATE ? texelFetch(before, int(at)) + scaled : scaled;
      }
    }
    first += ROWS_AT_ONCE;
    if (first >= ORDER) break;
  }
}

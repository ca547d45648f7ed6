// y[c,r] = x[r,c] on drivers that run on the CPU: an invocation reads four columns of a row as a texel, and writes past
// shared memory (lib/gemm_texels.glsl says why). The columns are a multiple of four.
#version 460
#extension GL_EXT_samplerless_texture_functions : require
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"
#include "transpose.h"

layout(local_size_x = 256) in;
layout(binding = 0) writeonly buffer Y { float y[]; };
layout(binding = 1) uniform textureBuffer x;
layout(push_constant) uniform Push { TransposeArgs args; };

void main() {
  const uint across = args.columns[0] / 4;
  const uint i = element_index(256);
  if (i >= args.rows * across) return;
  const uint row = i % args.rows, quad = i / args.rows;
  const vec4 four = texelFetch(x, int(row * across + quad));
  for (uint e = 0; e < 4; ++e) y[(4 * quad + e) * args.rows + row] = four[e];
}

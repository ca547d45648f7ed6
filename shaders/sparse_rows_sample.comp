// dvalues[l] += scale · g[r, j_l] for the coefficients of row first + r. A workgroup a row.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "sparse_rows.h"
#include "lib/index.glsl"

layout(local_size_x = 64) in;
layout(binding = 0) buffer Dvalues { float dvalues[]; };
layout(binding = 1) readonly buffer G { float g[]; };
layout(binding = 2) readonly buffer Pointer { uint row_ptr[]; };
layout(binding = 3) readonly buffer Index { uint index[]; };  // two indices to a word
layout(push_constant) uniform Push { SparseRowsArgs args; };

void main() {
  const uint row = row_index();
  if (row >= args.rows) return;
  const uint end = row_ptr[args.first + row + 1];
  for (uint l = row_ptr[args.first + row] + gl_LocalInvocationID.x; l < end; l += 64) {
    const uint column = index[l >> 1] >> (16 * (l & 1)) & 0xffffu;
    dvalues[l] += args.scale * g[row * args.columns + column];
  }
}

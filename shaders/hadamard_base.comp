// y = scale · had · x along the middle axis of the view [rows, ORDER, inner] (had may be a transposed base or a
// Sylvester matrix): the outer factors of a row that does not fit shared memory. A workgroup takes COLUMNS columns of
// one row; they are read whole before they are written, so that y may be x.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "hadamard.h"
#include "lib/index.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint ORDER = 1;
layout(constant_id = 1) const uint COLUMNS = 32;
layout(constant_id = 2) const uint ROWS_AT_ONCE = 1;
layout(constant_id = 3) const uint TILE = 32;  // ORDER · COLUMNS
layout(binding = 0) buffer Y { float y[]; };
layout(binding = 1) readonly buffer X { float x[]; };
layout(binding = 2) readonly buffer Signs { uint signs[]; };
layout(push_constant) uniform Push { HadamardArgs args; };

shared float hadamard_tile[TILE];
const uint PADDED = 0;
#include "lib/hadamard.glsl"

void main() {
  const uint chunks = (args.inner + COLUMNS - 1u) / COLUMNS;
  const uint row = row_index() / chunks;
  if (row >= args.rows) return;
  const uint column = row_index() % chunks * COLUMNS;
  const uint width = min(COLUMNS, args.inner - column);
  const uint start = row * ORDER * args.inner + column;
  for (uint i = gl_LocalInvocationID.x; i < TILE; i += 256u) {
    const uint c = i % COLUMNS;
    hadamard_tile[i] = c < width ? x[start + i / COLUMNS * args.inner + c] : 0.0;
  }
  barrier();
  const uint blocks = (ORDER + ROWS_AT_ONCE - 1u) / ROWS_AT_ONCE;
  for (uint task = gl_LocalInvocationID.x; task < blocks * COLUMNS; task += 256u) {
    const uint c = task % COLUMNS;
    const uint block = task / COLUMNS;
    if (c >= width) continue;
    const float sums[16] = base_sums(args.signs, block, c, COLUMNS);
    for (uint r = 0; r < ROWS_AT_ONCE; ++r) {
      const uint k = block * ROWS_AT_ONCE + r;
      if (k >= ORDER) break;
      const uint i = start + k * args.inner + c;
      const float scaled = args.scale * sums[r];
      y[i] = args.accumulate == 1u ? y[i] + scaled : scaled;
    }
  }
}

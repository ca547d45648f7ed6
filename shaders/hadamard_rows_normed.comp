// normed = the norm of x, or of sum = x + addend (shaders/rmsnorm_forward.comp), and y = its transform: as rmsnorm_forward
// and hadamard_rows, without reading the normed rows back
#version 460
#extension GL_GOOGLE_include_directive : require
#include "hadamard.h"
#include "lib/index.glsl"

layout(binding = 0) buffer Y { float y[]; };
layout(binding = 1) readonly buffer X { float x[]; };
layout(binding = 2) readonly buffer Signs { uint signs[]; };
layout(binding = 3) writeonly buffer Normed { float normed[]; };
layout(binding = 4) writeonly buffer Rstd { float rstd[]; };
layout(binding = 5) readonly buffer Weight { float weight[]; };
layout(binding = 6) readonly buffer Addend { float addend[]; };
layout(binding = 7) writeonly buffer Sum { float sum[]; };
layout(push_constant) uniform Push { HadamardArgs args; };
#include "lib/hadamard_rows.glsl"
layout(constant_id = 6) const bool ADD = false;

shared float row_rstd[ROWS];

float term(uint at) { return ADD ? x[at] + addend[at] : x[at]; }

float element(uint start, uint i) {
  const float v = term(start + i), n = v * row_rstd[i / WIDTH] * weight[i % WIDTH];
  if (ADD) sum[start + i] = v;
  normed[start + i] = n;
  return n;
}

// The reciprocal root mean square of a row, summed in the tile, which nothing needs yet.
void find_rstd(uint row, uint r) {
  const uint lane = gl_LocalInvocationID.x;
  float squares = 0.0;
  for (uint c = lane; c < WIDTH; c += 256u) {
    const float v = term(row * WIDTH + c);
    squares += v * v;
  }
  hadamard_tile[lane] = squares;
  barrier();
  for (uint stride = 128u; stride > 0u; stride >>= 1) {
    if (lane < stride) hadamard_tile[lane] += hadamard_tile[lane + stride];
    barrier();
  }
  if (lane == 0u) {
    row_rstd[r] = inversesqrt(hadamard_tile[0] / float(WIDTH) + args.epsilon);
    rstd[row] = row_rstd[r];
  }
  barrier();
}

void main() {
  const uint row = row_index() * ROWS;
  if (row >= args.rows) return;
  for (uint r = 0; r < ROWS && row + r < args.rows; ++r) find_rstd(row + r, r);
  transform_rows(row);
}

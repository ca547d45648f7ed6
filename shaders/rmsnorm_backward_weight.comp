// dweight[c] += Σ_r dy[r,c] · x[r,c] · rstd[r], rows in order
#version 460
#extension GL_GOOGLE_include_directive : require
#include "rmsnorm.h"
#include "lib/index.glsl"

layout(local_size_x = 64) in;
layout(binding = 0) buffer Dweight { float dweight[]; };
layout(binding = 1) readonly buffer Dy { float dy[]; };
layout(binding = 2) readonly buffer X { float x[]; };
layout(binding = 3) readonly buffer Rstd { float rstd[]; };
layout(push_constant) uniform Push { RmsnormArgs args; };

void main() {
  const uint c = element_index(64);
  if (c >= args.width) return;
  float sum = 0.0;
  for (uint row = 0; row < args.rows; ++row) sum += dy[row * args.width + c] * x[row * args.width + c] * rstd[row];
  dweight[c] += sum;
}

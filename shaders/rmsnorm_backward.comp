// With n = x·rstd:  dx = rstd · (dy·weight − n · mean_c(dy·weight·n))
#version 460
#extension GL_GOOGLE_include_directive : require
#include "rmsnorm.h"
#include "lib/index.glsl"
#include "lib/reduce.glsl"

layout(local_size_x = 256) in;
layout(binding = 0) writeonly buffer Dx { float dx[]; };
layout(binding = 1) readonly buffer Dy { float dy[]; };
layout(binding = 2) readonly buffer X { float x[]; };
layout(binding = 3) readonly buffer Rstd { float rstd[]; };
layout(binding = 4) readonly buffer Weight { float weight[]; };
layout(push_constant) uniform Push { RmsnormArgs args; };

void main() {
  const uint row = row_index();
  if (row >= args.rows) return;
  const uint base = row * args.width;
  const float r = rstd[row];
  float dot_product = 0.0;
  for (uint c = gl_LocalInvocationID.x; c < args.width; c += 256) {
    dot_product += dy[base + c] * weight[c] * x[base + c] * r;
  }
  const float mean = workgroup_sum(dot_product) / float(args.width);
  for (uint c = gl_LocalInvocationID.x; c < args.width; c += 256) {
    dx[base + c] = r * (dy[base + c] * weight[c] - x[base + c] * r * mean);
  }
}

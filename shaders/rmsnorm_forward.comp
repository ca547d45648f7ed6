// y[r,c] = x[r,c] · rstd[r] · weight[c],  rstd[r] = 1 / sqrt(mean_c x[r,c]² + epsilon)
#version 460
#extension GL_GOOGLE_include_directive : require
#include "rmsnorm.h"
#include "lib/index.glsl"
#include "lib/reduce.glsl"

layout(local_size_x = 256) in;
layout(binding = 0) writeonly buffer Y { float y[]; };
layout(binding = 1) writeonly buffer Rstd { float rstd[]; };
layout(binding = 2) readonly buffer X { float x[]; };
layout(binding = 3) readonly buffer Weight { float weight[]; };
layout(push_constant) uniform Push { RmsnormArgs args; };

void main() {
  const uint row = row_index();
  if (row >= args.rows) return;
  const uint base = row * args.width;
  float squares = 0.0;
  for (uint c = gl_LocalInvocationID.x; c < args.width; c += 256) squares += x[base + c] * x[base + c];
  const float r = inversesqrt(workgroup_sum(squares) / float(args.width) + args.epsilon);
  for (uint c = gl_LocalInvocationID.x; c < args.width; c += 256) y[base + c] = x[base + c] * r * weight[c];
  if (gl_LocalInvocationID.x == 0) rstd[row] = r;
}

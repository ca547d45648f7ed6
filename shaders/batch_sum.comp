// total = Σ_i values[i], added to what total holds if `accumulate`; one workgroup, in a fixed order
#version 460
#extension GL_GOOGLE_include_directive : require
#include "batch.h"
#include "lib/reduce.glsl"

layout(local_size_x = 256) in;
layout(binding = 0) buffer Total { float total[]; };
layout(binding = 1) readonly buffer Values { float values[]; };
layout(push_constant) uniform Push { SumArgs args; };

void main() {
  float sum = 0.0;
  for (uint i = gl_LocalInvocationID.x; i < args.elements; i += 256) sum += values[i];
  sum = workgroup_sum(sum);
  if (gl_LocalInvocationID.x == 0) total[0] = args.accumulate != 0 ? total[0] + sum : sum;
}

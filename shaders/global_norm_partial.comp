// partials[k] = Σ g[i]² over the k-th run of 65536 elements; 0 where the run lies beyond the end
#version 460
#extension GL_GOOGLE_include_directive : require
#include "global_norm.h"
#include "lib/index.glsl"
#include "lib/reduce.glsl"

layout(local_size_x = 256) in;
layout(binding = 0) writeonly buffer Partials { float partials[]; };
layout(binding = 1) readonly buffer Gradient { float gradient[]; };
layout(push_constant) uniform Push { GlobalNormPartialArgs args; };

const uint run = 65536;

void main() {
  const uint k = row_index();
  if (k >= args.partials) return;
  float sum = 0.0;
  for (uint step = 0; step < run && k * run + step < args.elements; step += 256) {
    const uint i = k * run + step + gl_LocalInvocationID.x;
    const float g = i < args.elements ? gradient[i] : 0.0;
    sum += g * g;
  }
  sum = workgroup_sum(sum);
  if (gl_LocalInvocationID.x == 0) partials[k] = sum;
}

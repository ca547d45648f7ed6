// norm = {n, max_norm > 0 ? min(1, max_norm / (n + 1e-6)) : 1},  n = sqrt(Σ_k partials[k])
#version 460
#extension GL_GOOGLE_include_directive : require
#include "global_norm.h"
#include "lib/reduce.glsl"

layout(local_size_x = 256) in;
layout(binding = 0) writeonly buffer Norm { float norm[]; };
layout(binding = 1) readonly buffer Partials { float partials[]; };
layout(push_constant) uniform Push { GlobalNormFinishArgs args; };

void main() {
  float sum = 0.0;
  for (uint k = gl_LocalInvocationID.x; k < args.partials; k += 256) sum += partials[k];
  const float n = sqrt(workgroup_sum(sum));
  if (gl_LocalInvocationID.x == 0) {
    norm[0] = n;
    norm[1] = args.max_norm > 0.0 ? min(1.0, args.max_norm / (n + 1e-6)) : 1.0;
  }
}

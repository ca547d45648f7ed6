// dbias[i] += Σ_t dy[t,i], tokens in order
#version 460
#extension GL_GOOGLE_include_directive : require
#include "matmul.h"
#include "lib/index.glsl"

layout(local_size_x = 64) in;
layout(binding = 0) buffer Dbias { float dbias[]; };
layout(binding = 1) readonly buffer Dy { float dy[]; };
layout(push_constant) uniform Push { MatmulArgs args; };

void main() {
  const uint i = element_index(64);
  if (i >= args.outputs) return;
  float sum = 0.0;
  for (uint t = 0; t < args.tokens; ++t) sum += dy[t * args.outputs + i];
  dbias[i] += sum;
}

// delta[t,h] = Σ_d dy[t,h,d] · y[t,h,d]: what the softmax's backward subtracts from dy·v.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "attention.h"
#include "lib/index.glsl"

layout(local_size_x = 64) in;
layout(binding = 0) writeonly buffer Delta { float delta[]; };
layout(binding = 1) readonly buffer Dy { float dy[]; };
layout(binding = 2) readonly buffer Y { float y[]; };
layout(push_constant) uniform Push { AttentionArgs args; };

void main() {
  const uint row = element_index(64);
  if (row >= args.queries * args.heads) return;
  float sum = 0;
  for (uint d = 0; d < args.width; ++d) sum += dy[row * args.width + d] * y[row * args.width + d];
  delta[row] = sum;
}

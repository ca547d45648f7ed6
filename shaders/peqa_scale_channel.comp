// ds[i] += Σ_t dy[t,i] · u[t,i], u = x·(q − z)ᵀ the output at scale 1; tokens in order
#version 460
#extension GL_GOOGLE_include_directive : require
#include "peqa.h"
#include "lib/index.glsl"

layout(local_size_x = 64) in;
layout(binding = 0) buffer Ds { float ds[]; };
layout(binding = 1) readonly buffer Dy { float dy[]; };
layout(binding = 2) readonly buffer U { float u[]; };
layout(push_constant) uniform Push { PeqaArgs args; };

void main() {
  const uint i = element_index(64);
  if (i >= args.rows) return;
  float sum = 0.0;
  for (uint t = 0; t < args.tokens; ++t) sum += dy[t * args.rows + i] * u[t * args.rows + i];
  ds[i] += sum;
}

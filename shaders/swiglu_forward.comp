// y = gate · σ(gate) · up,  σ(g) = 1 / (1 + exp(−g))
#version 460
#extension GL_GOOGLE_include_directive : require
#include "swiglu.h"
#include "lib/index.glsl"

layout(local_size_x = 256) in;
layout(binding = 0) writeonly buffer Y { float y[]; };
layout(binding = 1) readonly buffer Gate { float gate[]; };
layout(binding = 2) readonly buffer Up { float up[]; };
layout(push_constant) uniform Push { SwigluArgs args; };

void main() {
  const uint i = element_index(256);
  if (i >= args.elements) return;
  const float g = gate[i];
  y[i] = g / (1.0 + exp(-g)) * up[i];
}

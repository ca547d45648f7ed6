// With s = σ(gate):  dgate = dy · up · s · (1 + gate · (1 − s)),  dup = dy · gate · s
#version 460
#extension GL_GOOGLE_include_directive : require
#include "swiglu.h"
#include "lib/index.glsl"

layout(local_size_x = 256) in;
layout(binding = 0) writeonly buffer Dgate { float dgate[]; };
layout(binding = 1) writeonly buffer Dup { float dup[]; };
layout(binding = 2) readonly buffer Dy { float dy[]; };
layout(binding = 3) readonly buffer Gate { float gate[]; };
layout(binding = 4) readonly buffer Up { float up[]; };
layout(push_constant) uniform Push { SwigluArgs args; };

void main() {
  const uint i = element_index(256);
  if (i >= args.elements) return;
  const float g = gate[i];
  const float s = 1.0 / (1.0 + exp(-g));
  const float ds = dy[i] * s;
  dgate[i] = ds * up[i] * (1.0 + g * (1.0 - s));
  dup[i] = ds * g;
}

// With s = σ(gate):  dgate = dy · up · s · (1 + gate · (1 − s)),  dup = dy · gate · s
//! variants: READ=floats,texels
#version 460
#extension GL_EXT_samplerless_texture_functions : require
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"
#include "lib/values.glsl"
#include "swiglu.h"

layout(local_size_x = 256) in;
layout(binding = 0) writeonly buffer Dgate { VALUE dgate[]; };
layout(binding = 1) writeonly buffer Dup { VALUE dup[]; };
VALUES(2, Dy, dy);
VALUES(3, Gate, gate);
VALUES(4, Up, up);
layout(push_constant) uniform Push { SwigluArgs args; };

void main() {
  const uint i = element_index(256);
  if (i >= args.values) return;
  const VALUE g = AT(gate, i);
  const VALUE s = 1.0 / (1.0 + exp(-g));
  const VALUE ds = AT(dy, i) * s;
  dgate[i] = ds * AT(up, i) * (1.0 + g * (1.0 - s));
  dup[i] = ds * g;
}

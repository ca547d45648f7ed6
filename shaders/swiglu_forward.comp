// y = gate · σ(gate) · up,  σ(g) = 1 / (1 + exp(−g))
//! variants: READ=floats,texels
#version 460
#extension GL_EXT_samplerless_texture_functions : require
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"
#include "lib/values.glsl"
#include "swiglu.h"

layout(local_size_x = 256) in;
layout(binding = 0) writeonly buffer Y { VALUE y[]; };
VALUES(1, Gate, gate);
VALUES(2, Up, up);
layout(push_constant) uniform Push { SwigluArgs args; };

void main() {
  const uint i = element_index(256);
  if (i >= args.values) return;
  const VALUE g = AT(gate, i);
  y[i] = g / (1.0 + exp(-g)) * AT(up, i);
}

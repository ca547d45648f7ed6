// y = a + b. y may be a or b: an invocation reads and writes its own elements only.
//! variants: READ=floats,texels
#version 460
#extension GL_EXT_samplerless_texture_functions : require
#extension GL_GOOGLE_include_directive : require
#include "add.h"
#include "lib/index.glsl"
#include "lib/values.glsl"

layout(local_size_x = 256) in;
layout(binding = 0) writeonly buffer Y { VALUE y[]; };
VALUES(1, A, a);
VALUES(2, B, b);
layout(push_constant) uniform Push { AddArgs args; };

void main() {
  const uint i = element_index(256);
  if (i < args.values) y[i] = AT(a, i) + AT(b, i);
}

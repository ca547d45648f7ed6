// y = a + b. y may be a or b: an invocation reads and writes its own element only.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "add.h"
#include "lib/index.glsl"

layout(local_size_x = 256) in;
layout(binding = 0) writeonly buffer Y { float y[]; };
layout(binding = 1) readonly buffer A { float a[]; };
layout(binding = 2) readonly buffer B { float b[]; };
layout(push_constant) uniform Push { AddArgs args; };

void main() {
  const uint i = element_index(256);
  if (i < args.elements) y[i] = a[i] + b[i];
}

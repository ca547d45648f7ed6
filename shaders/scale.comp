// y = factor · x. y may be x: an invocation reads and writes its own element only.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "scale.h"
#include "lib/index.glsl"

layout(local_size_x = 256) in;
layout(binding = 0) writeonly buffer Y { float y[]; };
layout(binding = 1) readonly buffer X { float x[]; };
layout(push_constant) uniform Push { ScaleArgs args; };

void main() {
  const uint i = element_index(256);
  if (i < args.elements) y[i] = args.factor * x[i];
}

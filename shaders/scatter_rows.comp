// y[index[r], c] = x[r, c]; rows whose index is beyond y are left out
#version 460
#extension GL_GOOGLE_include_directive : require
#include "scatter.h"
#include "lib/index.glsl"

layout(local_size_x = 256) in;
layout(binding = 0) writeonly buffer Y { float y[]; };
layout(binding = 1) readonly buffer X { float x[]; };
layout(binding = 2) readonly buffer Index { uint index[]; };
layout(push_constant) uniform Push { ScatterArgs args; };

void main() {
  const uint i = element_index(256);
  if (i >= args.rows * args.width) return;
  const uint slot = index[i / args.width];
  if (slot < args.slots) y[slot * args.width + i % args.width] = x[i];
}

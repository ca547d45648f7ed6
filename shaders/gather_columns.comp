// y[t,j] = x[t, order[j]], or += it
#version 460
#extension GL_GOOGLE_include_directive : require
#include "gather_columns.h"
#include "lib/index.glsl"

layout(local_size_x = 64) in;
layout(binding = 0) buffer Y { float y[]; };
layout(binding = 1) readonly buffer X { float x[]; };
layout(binding = 2) readonly buffer Order { uint order[]; };
layout(push_constant) uniform Push { GatherColumnsArgs args; };

void main() {
  const uint i = element_index(64);
  if (i >= args.elements) return;
  const uint j = i % args.columns;
  const float value = x[i - j + order[j]];
  y[i] = args.accumulate != 0 ? y[i] + value : value;
}

// grid[i,k] = the group's scale as fp16 in the low half, its zero untouched in the high half
#version 460
#extension GL_GOOGLE_include_directive : require
#include "peqa.h"
#include "lib/index.glsl"
#include "lib/half.glsl"

layout(local_size_x = 256) in;
layout(binding = 0) buffer Grid { uint grid[]; };
layout(binding = 1) readonly buffer Scale { float scale[]; };
layout(push_constant) uniform Push { PeqaArgs args; };

void main() {
  const uint i = element_index(256);
  if (i < args.rows * (args.columns / args.group_size))
    grid[i] = (grid[i] & 0xffff0000u) | float_to_f16(scale[i]);
}

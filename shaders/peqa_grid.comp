// grid[i,k] = the group's scale as fp16 in the low half; in the high half its offset as fp16, or its zero untouched
#version 460
#extension GL_GOOGLE_include_directive : require
#include "peqa.h"
#include "lib/index.glsl"
#include "lib/half.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 0) const bool OFFSET = false;
layout(binding = 0) buffer Grid { uint grid[]; };
layout(binding = 1) readonly buffer Scale { float scale[]; };
layout(binding = 2) readonly buffer Offset { float offset[]; };
layout(push_constant) uniform Push { PeqaArgs args; };

void main() {
  const uint i = element_index(256);
  if (i >= args.rows * (args.columns / args.group_size)) return;
  const uint high = OFFSET ? float_to_f16(offset[i]) << 16 : grid[i] & 0xffff0000u;
  grid[i] = high | float_to_f16(scale[i]);
}

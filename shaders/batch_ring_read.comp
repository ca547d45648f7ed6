// values[i] = ring[counter mod slots, i]
#version 460
#extension GL_GOOGLE_include_directive : require
#include "batch.h"
#include "lib/index.glsl"

layout(local_size_x = 256) in;
layout(binding = 0) writeonly buffer Values { uint values[]; };
layout(binding = 1) readonly buffer Ring { uint ring[]; };
layout(binding = 2) readonly buffer Counter { uint counter[]; };
layout(push_constant) uniform Push { RingArgs args; };

void main() {
  const uint i = element_index(256);
  if (i < args.words) values[i] = ring[counter[0] % args.slots * args.words + i];
}

// The inverse rotation of every part dx [T, H, D] in place: with (c, s) as in rope_forward
//   dx[d] ← c dx[d] + s dx[d + D/2],  dx[d + D/2] ← c dx[d + D/2] − s dx[d].
#version 460
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"
#include "lib/rotation.glsl"
#include "rope.h"

layout(local_size_x = 64) in;
layout(binding = 0) buffer Dx { float dx[]; };
layout(binding = 1) readonly buffer Positions { uint positions[]; };
layout(binding = 2) readonly buffer InverseFrequencies { float inverse_frequencies[]; };
layout(push_constant) uniform Push { RopeArgs args; };

// One invocation a pair of dims of a token: its angle is computed once for all heads.
void main() {
  const uint half_width = args.width / 2, pair = element_index(64);
  if (pair >= args.tokens * half_width) return;
  const uint t = pair / half_width, d = pair % half_width;
  const vec2 cs = rotation(positions[t], inverse_frequencies[d]);
  const uint part = gl_WorkGroupID.z, heads = args.heads[part];
  for (uint h = 0; h < heads; ++h) {
    const uint at = args.x_at[part] + (t * heads + h) * args.width + d;
    const float first = dx[at], second = dx[at + half_width];
    dx[at] = cs.x * first + cs.y * second;
    dx[at + half_width] = cs.x * second - cs.y * first;
  }
}

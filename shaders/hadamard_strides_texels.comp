// y = scale · H_m · x along the middle axis of the view [rows, m, inner], m = 2^BITS, or y += that: butterflies between
// values that stand `inner` apart, after those of hadamard_chunks_texels and for the same drivers. An invocation holds four
// neighbouring columns, which are read whole before they are written, so that y may be x. inner is a multiple of 4.
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_samplerless_texture_functions : require
#extension GL_GOOGLE_include_directive : require
#include "hadamard.h"
#include "lib/index.glsl"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint BITS = 1;
layout(constant_id = 1) const bool ACCUMULATE = false;
layout(binding = 0) writeonly buffer Y { vec4 y[]; };
layout(binding = 1) uniform textureBuffer x;
layout(binding = 2) uniform textureBuffer before;  // y, where the result is added to it
layout(push_constant) uniform Push { HadamardArgs args; };

const uint M = 1u << BITS;

void main() {
  const uint quads = args.inner / 4u;
  const uint i = element_index(64);
  if (i >= args.rows * quads) return;
  const uint start = i / quads * M * quads + i % quads;
  vec4 v[M];
  [[unroll]] for (uint j = 0; j < M; ++j) v[j] = texelFetch(x, int(start + j * quads));
  [[unroll]] for (uint bit = 0; bit < BITS; ++bit) {
    const uint stride = 1u << bit;
    [[unroll]] for (uint j = 0; j < M; ++j) {
      if ((j & stride) == 0) {
        const vec4 a = v[j], b = v[j | stride];
        v[j] = a + b;
        v[j | stride] = a - b;
      }
    }
  }
  [[unroll]] for (uint j = 0; j < M; ++j) {
    const uint at = start + j * quads;
    const vec4 scaled = args.scale * v[j];
    y[at] = ACCUMULATE ? texelFetch(before, int(at)) + scaled : scaled;
  }
}

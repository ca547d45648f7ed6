// y[c,:] = scale · x[c,:] · H_m, or y += that, chunks of m = 2^BITS neighbours, BITS ≥ 2: the butterflies of a
// transform on drivers that run on the CPU (lib/gemm_texels.glsl says why). An invocation holds a chunk, which is read
// whole before it is written, so that y may be x.
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_samplerless_texture_functions : require
#extension GL_GOOGLE_include_directive : require
#include "hadamard.h"
#include "lib/index.glsl"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint BITS = 2;
layout(constant_id = 1) const bool ACCUMULATE = false;
layout(binding = 0) writeonly buffer Y { vec4 y[]; };
layout(binding = 1) uniform textureBuffer x;
layout(binding = 2) uniform textureBuffer before;  // y, where the result is added to it
layout(push_constant) uniform Push { HadamardArgs args; };

const uint QUADS = (1u << BITS) / 4u;

void main() {
  const uint chunk = element_index(64);
  if (chunk >= args.rows) return;
  vec4 v[QUADS];
  [[unroll]] for (uint k = 0; k < QUADS; ++k) {
    const vec4 four = texelFetch(x, int(chunk * QUADS + k));
    const vec4 two = vec4(four.x + four.y, four.x - four.y, four.z + four.w, four.z - four.w);
    v[k] = vec4(two.xy + two.zw, two.xy - two.zw);
  }
  [[unroll]] for (uint bit = 2; bit < BITS; ++bit) {
    const uint stride = 1u << (bit - 2u);
    [[unroll]] for (uint k = 0; k < QUADS; ++k) {
      if ((k & stride) == 0) {
        const vec4 a = v[k], b = v[k | stride];
        v[k] = a + b;
        v[k | stride] = a - b;
      }
    }
  }
  [[unroll]] for (uint k = 0; k < QUADS; ++k) {
    const uint at = chunk * QUADS + k;
    const vec4 scaled = args.scale * v[k];
    y[at] = ACCUMULATE ? texelFetch(before, int(at)) + scaled : scaled;
  }
}

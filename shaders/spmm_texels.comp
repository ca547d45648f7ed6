// y[t,o] (+)= scale · Σ_k values[k] · xt[index[k], t],  k in [pointer[o], pointer[o+1]), on drivers that run on the CPU
// (lib/gemm_texels.glsl says why): the twin of spmm. An invocation has one output and QUADS fours of tokens, so that
// the coefficients, read four at a time, serve many. PERMUTED: values[permutation[k]], for the column order. The tokens
// are a multiple of four.
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_samplerless_texture_functions : require
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"
#include "spmm.h"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint PERMUTED = 0;
layout(constant_id = 1) const uint QUADS = 1;
layout(binding = 0) writeonly buffer Y { float y[]; };
layout(binding = 1) uniform textureBuffer xt;
layout(binding = 2) uniform textureBuffer values;
layout(binding = 3) readonly buffer Pointer { uint pointer[]; };
layout(binding = 4) uniform utextureBuffer index;  // eight indices to a texel
layout(binding = 5) uniform utextureBuffer permutation;
layout(binding = 6) uniform textureBuffer before;  // y
layout(push_constant) uniform Push { SpmmArgs args; };

float value_at(uint k) { return texelFetch(values, int(k >> 2))[k & 3]; }

// The values of the coefficients k4 … k4 + 3 of the row [begin, end), 0 for those that are another row's.
vec4 values_of(uint k4, uint begin, uint end) {
  vec4 four;
  if (PERMUTED == 1) {
    const uvec4 p = texelFetch(permutation, int(k4 >> 2));
    four = vec4(value_at(p.x), value_at(p.y), value_at(p.z), value_at(p.w));
  } else {
    four = texelFetch(values, int(k4 >> 2));
  }
  const uvec4 k = k4 + uvec4(0, 1, 2, 3);
  return mix(vec4(0), four, bvec4(uvec4(greaterThanEqual(k, uvec4(begin))) & uvec4(lessThan(k, uvec4(end)))));
}

void main() {
  const uint quads = args.tokens / 4, chunks = (quads + QUADS - 1) / QUADS;
  const uint i = element_index(64);
  const uint output_ = i / chunks, first = i % chunks;
  if (output_ >= args.outputs[0]) return;
  const uint begin = pointer[output_], end = pointer[output_ + 1];
  vec4 sums[QUADS];
  [[unroll]] for (uint v = 0; v < QUADS; ++v) sums[v] = vec4(0);
  for (uint k4 = begin & ~3u; k4 < end; k4 += 4) {
    const vec4 value = values_of(k4, begin, end);
    const uvec4 eight = texelFetch(index, int(k4 >> 3));
    const uvec2 words = (k4 & 4) == 0 ? eight.xy : eight.zw;
    [[unroll]] for (uint e = 0; e < 4; ++e) {
      const uint start = (words[e / 2] >> (16 * (e & 1)) & 0xffffu) * quads;
      [[unroll]] for (uint v = 0; v < QUADS; ++v)
        sums[v] += value[e] * texelFetch(xt, int(start + min(first + chunks * v, quads - 1)));
    }
  }
  [[unroll]] for (uint v = 0; v < QUADS; ++v) {
    const uint quad = first + chunks * v;
    if (quad < quads) {
      for (uint c = 0; c < 4; ++c) {
        const uint o = (4 * quad + c) * args.outputs[0] + output_;
        const float sum = args.scale[0] * sums[v][c];
        y[o] = args.accumulate == 1 ? texelFetch(before, int(o >> 2))[o & 3] + sum : sum;
      }
    }
  }
}

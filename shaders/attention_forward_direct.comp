// As attention_forward: an invocation owns rows and walks over their keys with the online softmax.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "lib/attention_direct.glsl"

layout(binding = 0) writeonly buffer Y { vec4 y[]; };
layout(binding = 1) writeonly buffer Lse { float lse[]; };
layout(binding = 2) uniform textureBuffer q;
layout(binding = 3) uniform textureBuffer k;
layout(binding = 4) uniform textureBuffer v;
layout(binding = 5) readonly buffer KeyBegin { uint key_begin[]; };
layout(binding = 6) readonly buffer KeyEnd { uint key_end[]; };

const float lowest = -3.0e38;

void main() {
  const uint kv = gl_WorkGroupID.y, row0 = first_owned(), row_count = args.queries * group_heads();
  uint head[own_each], begin[own_each], end[own_each];
  float maximum[own_each], total[own_each];
  vec4 sum[own_each * quads];
  uint first = 0xffffffffu, last = 0;
  [[unroll]] for (uint r = 0; r < own_each; ++r) {
    const uint row = min(row0 + lanes * r, row_count - 1), t = row / group_heads();
    head[r] = t * args.heads + kv * group_heads() + (row - t * group_heads());
    begin[r] = key_begin[t];
    end[r] = row0 + lanes * r < row_count ? min(key_end[t], args.keys) : 0;
    maximum[r] = lowest;
    total[r] = 0;
    [[unroll]] for (uint d = 0; d < quads; ++d) sum[r * quads + d] = vec4(0);
    if (begin[r] < end[r]) {
      first = min(first, begin[r]);
      last = max(last, end[r]);
    }
  }

  for (uint tile = first; tile < last; tile += block) {
    // Keys that no owned row sees are never read: a cache may hold anything there.
    uint key[block];
    float p[own_each * block];
    [[unroll]] for (uint c = 0; c < block; ++c) key[c] = (min(tile + c, last - 1) * args.kv_heads + kv) * quads;
    [[unroll]] for (uint i = 0; i < own_each * block; ++i) p[i] = 0;
    uint d = 0;
    for (;;) {  // the condition at the end: lib/gemm_texels.glsl says why
      vec4 keys[block];
      [[unroll]] for (uint c = 0; c < block; ++c) keys[c] = texelFetch(k, int(key[c] + d));
      [[unroll]] for (uint r = 0; r < own_each; ++r) {
        const vec4 row = texelFetch(q, int(head[r] * quads + d));
        [[unroll]] for (uint c = 0; c < block; ++c) p[r * block + c] += dot(row, keys[c]);
      }
      if (++d == quads) break;
    }
    float shrink[own_each];
    [[unroll]] for (uint r = 0; r < own_each; ++r) {
      float top = maximum[r];
      [[unroll]] for (uint c = 0; c < block; ++c) {
        const bool seen = tile + c >= begin[r] && tile + c < end[r];
        p[r * block + c] = seen ? args.scale * p[r * block + c] : lowest;
        top = max(top, p[r * block + c]);
      }
      shrink[r] = exp(maximum[r] - top);
      maximum[r] = top;
      total[r] *= shrink[r];
      [[unroll]] for (uint c = 0; c < block; ++c) {
        const bool seen = tile + c >= begin[r] && tile + c < end[r];
        p[r * block + c] = seen ? exp(p[r * block + c] - top) : 0.0;
        total[r] += p[r * block + c];
      }
    }
    [[unroll]] for (uint d = 0; d < quads; ++d) {
      [[unroll]] for (uint r = 0; r < own_each; ++r) sum[r * quads + d] *= shrink[r];
      [[unroll]] for (uint c = 0; c < block; ++c) {
        const vec4 value = texelFetch(v, int(key[c] + d));
        [[unroll]] for (uint r = 0; r < own_each; ++r) sum[r * quads + d] += p[r * block + c] * value;
      }
    }
  }

  [[unroll]] for (uint r = 0; r < own_each; ++r) {
    if (row0 + lanes * r < row_count) {
      const float inverse = total[r] > 0 ? 1 / total[r] : 0.0;
      [[unroll]] for (uint d = 0; d < quads; ++d) y[head[r] * quads + d] = inverse * sum[r * quads + d];
      const float minus_infinity = uintBitsToFloat(0xff800000u);
      lse[head[r]] = total[r] > 0 ? maximum[r] + log(total[r]) : minus_infinity;
    }
  }
}

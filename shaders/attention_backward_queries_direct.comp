// As attention_backward_queries: an invocation owns rows and walks over their keys.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "lib/attention_direct.glsl"

layout(binding = 0) writeonly buffer Dq { vec4 dq[]; };
layout(binding = 1) uniform textureBuffer dy;
layout(binding = 2) readonly buffer Lse { float lse[]; };
layout(binding = 3) readonly buffer Delta { float delta[]; };
layout(binding = 4) uniform textureBuffer q;
layout(binding = 5) uniform textureBuffer k;
layout(binding = 6) uniform textureBuffer v;
layout(binding = 7) readonly buffer KeyBegin { uint key_begin[]; };
layout(binding = 8) readonly buffer KeyEnd { uint key_end[]; };

void main() {
  const uint kv = gl_WorkGroupID.y, row0 = first_owned(), row_count = args.queries * group_heads();
  uint head[own_each], begin[own_each], end[own_each];
  float row_lse[own_each], row_delta[own_each];
  vec4 sum[own_each * quads];
  uint first = 0xffffffffu, last = 0;
  [[unroll]] for (uint r = 0; r < own_each; ++r) {
    const uint row = min(row0 + lanes * r, row_count - 1), t = row / group_heads();
    head[r] = t * args.heads + kv * group_heads() + (row - t * group_heads());
    row_lse[r] = lse[head[r]];
    row_delta[r] = delta[head[r]];
    begin[r] = key_begin[t];
    end[r] = row0 + lanes * r < row_count ? min(key_end[t], args.keys) : 0;
    [[unroll]] for (uint d = 0; d < quads; ++d) sum[r * quads + d] = vec4(0);
    if (begin[r] < end[r]) {
      first = min(first, begin[r]);
      last = max(last, end[r]);
    }
  }

  for (uint tile = first; tile < last; tile += block) {
    uint key[block];
    float ds[own_each * block], dp[own_each * block];
    [[unroll]] for (uint c = 0; c < block; ++c) key[c] = (min(tile + c, last - 1) * args.kv_heads + kv) * quads;
    [[unroll]] for (uint i = 0; i < own_each * block; ++i) {
      ds[i] = 0;
      dp[i] = 0;
    }
    uint d = 0;
    for (;;) {  // the condition at the end: lib/gemm_texels.glsl says why
      vec4 keys[block], values[block];
      [[unroll]] for (uint c = 0; c < block; ++c) {
        keys[c] = texelFetch(k, int(key[c] + d));
        values[c] = texelFetch(v, int(key[c] + d));
      }
      [[unroll]] for (uint r = 0; r < own_each; ++r) {
        const vec4 row = texelFetch(q, int(head[r] * quads + d)), dy_row = texelFetch(dy, int(head[r] * quads + d));
        [[unroll]] for (uint c = 0; c < block; ++c) {
          ds[r * block + c] += dot(row, keys[c]);
          dp[r * block + c] += dot(dy_row, values[c]);
        }
      }
      if (++d == quads) break;
    }
    [[unroll]] for (uint r = 0; r < own_each; ++r) {
      [[unroll]] for (uint c = 0; c < block; ++c) {
        const uint i = r * block + c;
        const bool seen = tile + c >= begin[r] && tile + c < end[r];
        const float p = exp(args.scale * ds[i] - row_lse[r]);
        ds[i] = seen ? args.scale * p * (dp[i] - row_delta[r]) : 0.0;
      }
    }
    [[unroll]] for (uint d = 0; d < quads; ++d) {
      [[unroll]] for (uint c = 0; c < block; ++c) {
        const vec4 value = texelFetch(k, int(key[c] + d));
        [[unroll]] for (uint r = 0; r < own_each; ++r) sum[r * quads + d] += ds[r * block + c] * value;
      }
    }
  }

  [[unroll]] for (uint r = 0; r < own_each; ++r) {
    if (row0 + lanes * r < row_count) {
      [[unroll]] for (uint d = 0; d < quads; ++d) dq[head[r] * quads + d] = sum[r * quads + d];
    }
  }
}

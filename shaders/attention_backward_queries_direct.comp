// As attention_backward_queries: an invocation owns rows and walks over their keys; dq holds the sums of ds k
// until the end.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "lib/attention_direct.glsl"

layout(binding = 0) buffer Dq { float dq[]; };
layout(binding = 1) readonly buffer Dy { float dy[]; };
layout(binding = 2) readonly buffer Lse { float lse[]; };
layout(binding = 3) readonly buffer Delta { float delta[]; };
layout(binding = 4) readonly buffer Q { float q[]; };
layout(binding = 5) readonly buffer K { float k[]; };
layout(binding = 6) readonly buffer V { float v[]; };
layout(binding = 7) readonly buffer KeyBegin { uint key_begin[]; };
layout(binding = 8) readonly buffer KeyEnd { uint key_end[]; };

void main() {
  const uint kv = gl_WorkGroupID.y, row0 = first_owned(), row_count = args.queries * group_heads();
  uint head[own_each], begin[own_each], end[own_each];
  float row_lse[own_each], row_delta[own_each];
  uint first = 0xffffffffu, last = 0;
  [[unroll]] for (uint r = 0; r < own_each; ++r) {
    const uint row = min(row0 + lanes * r, row_count - 1), t = row / group_heads();
    head[r] = t * args.heads + kv * group_heads() + (row - t * group_heads());
    row_lse[r] = lse[head[r]];
    row_delta[r] = delta[head[r]];
    begin[r] = key_begin[t];
    end[r] = row0 + lanes * r < row_count ? min(key_end[t], args.keys) : 0;
    if (begin[r] < end[r]) {
      first = min(first, begin[r]);
      last = max(last, end[r]);
    }
    if (row0 + lanes * r < row_count) {
      for (uint d = 0; d < args.width; ++d) dq[head[r] * args.width + d] = 0.0;
    }
  }

  for (uint tile = first; tile < last; tile += block) {
    uint key[block];
    float ds[own_each][block], dp[own_each][block];
    float heads_of[block];
    [[unroll]] for (uint c = 0; c < block; ++c) {
      key[c] = (min(tile + c, last - 1) * args.kv_heads + kv) * args.width;
      [[unroll]] for (uint r = 0; r < own_each; ++r) {
        ds[r][c] = 0;
        dp[r][c] = 0;
      }
    }
    for (uint d = 0; d < args.width; ++d) {
      [[unroll]] for (uint c = 0; c < block; ++c) heads_of[c] = k[key[c] + d];
      [[unroll]] for (uint r = 0; r < own_each; ++r) {
        const float qd = q[head[r] * args.width + d];
        [[unroll]] for (uint c = 0; c < block; ++c) ds[r][c] += qd * heads_of[c];
      }
      [[unroll]] for (uint c = 0; c < block; ++c) heads_of[c] = v[key[c] + d];
      [[unroll]] for (uint r = 0; r < own_each; ++r) {
        const float dyd = dy[head[r] * args.width + d];
        [[unroll]] for (uint c = 0; c < block; ++c) dp[r][c] += dyd * heads_of[c];
      }
    }
    [[unroll]] for (uint r = 0; r < own_each; ++r) {
      [[unroll]] for (uint c = 0; c < block; ++c) {
        const bool seen = tile + c >= begin[r] && tile + c < end[r];
        const float p = exp(args.scale * ds[r][c] - row_lse[r]);
        ds[r][c] = seen ? args.scale * p * (dp[r][c] - row_delta[r]) : 0.0;
      }
    }
    for (uint d = 0; d < args.width; ++d) {
      [[unroll]] for (uint c = 0; c < block; ++c) heads_of[c] = k[key[c] + d];
      [[unroll]] for (uint r = 0; r < own_each; ++r) {
        if (row0 + lanes * r < row_count) {
          const uint at = head[r] * args.width + d;
          float sum = dq[at];
          [[unroll]] for (uint c = 0; c < block; ++c) sum += ds[r][c] * heads_of[c];
          dq[at] = sum;
        }
      }
    }
  }
}

// As attention_backward_keys: an invocation owns keys and walks over the heads of the group and, in order, the
// queries that see its keys; dk and dv hold the sums.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "lib/attention_direct.glsl"

layout(binding = 0) buffer Dk { float dk[]; };
layout(binding = 1) buffer Dv { float dv[]; };
layout(binding = 2) readonly buffer Dy { float dy[]; };
layout(binding = 3) readonly buffer Lse { float lse[]; };
layout(binding = 4) readonly buffer Delta { float delta[]; };
layout(binding = 5) readonly buffer Q { float q[]; };
layout(binding = 6) readonly buffer K { float k[]; };
layout(binding = 7) readonly buffer V { float v[]; };
layout(binding = 8) readonly buffer KeyBegin { uint key_begin[]; };
layout(binding = 9) readonly buffer KeyEnd { uint key_end[]; };
layout(binding = 10) readonly buffer QueryBegin { uint query_begin[]; };
layout(binding = 11) readonly buffer QueryEnd { uint query_end[]; };

void main() {
  const uint kv = gl_WorkGroupID.y, key0 = first_owned();
  uint key[own_each];
  uint first = 0xffffffffu, last = 0;
  [[unroll]] for (uint r = 0; r < own_each; ++r) {
    const uint s = min(key0 + lanes * r, args.keys - 1);
    key[r] = (s * args.kv_heads + kv) * args.width;
    const uint begin = query_begin[s], end = min(query_end[s], args.queries);
    if (begin < end && key0 + lanes * r < args.keys) {
      first = min(first, begin);
      last = max(last, end);
    }
    if (key0 + lanes * r < args.keys) {
      for (uint d = 0; d < args.width; ++d) {
        dk[key[r] + d] = 0.0;
        dv[key[r] + d] = 0.0;
      }
    }
  }

  for (uint g = 0; g < group_heads(); ++g) {
    for (uint tile = first; tile < last; tile += block) {
      uint head[block];
      float p[own_each][block], ds[own_each][block];
      float heads_of[block], dy_of[block];
      [[unroll]] for (uint c = 0; c < block; ++c) {
        head[c] = min(tile + c, last - 1) * args.heads + kv * group_heads() + g;
        [[unroll]] for (uint r = 0; r < own_each; ++r) {
          p[r][c] = 0;
          ds[r][c] = 0;
        }
      }
      for (uint d = 0; d < args.width; ++d) {
        [[unroll]] for (uint c = 0; c < block; ++c) heads_of[c] = q[head[c] * args.width + d];
        [[unroll]] for (uint r = 0; r < own_each; ++r) {
          const float kd = k[key[r] + d];
          [[unroll]] for (uint c = 0; c < block; ++c) p[r][c] += kd * heads_of[c];
        }
        [[unroll]] for (uint c = 0; c < block; ++c) heads_of[c] = dy[head[c] * args.width + d];
        [[unroll]] for (uint r = 0; r < own_each; ++r) {
          const float vd = v[key[r] + d];
          [[unroll]] for (uint c = 0; c < block; ++c) ds[r][c] += vd * heads_of[c];
        }
      }
      [[unroll]] for (uint c = 0; c < block; ++c) {
        const uint t = min(tile + c, last - 1);
        const uint begin = key_begin[t], end = tile + c < last ? key_end[t] : 0;
        const float row_lse = lse[head[c]], row_delta = delta[head[c]];
        [[unroll]] for (uint r = 0; r < own_each; ++r) {
          const bool seen = key0 + lanes * r >= begin && key0 + lanes * r < end;
          p[r][c] = seen ? exp(args.scale * p[r][c] - row_lse) : 0.0;
          ds[r][c] = seen ? args.scale * p[r][c] * (ds[r][c] - row_delta) : 0.0;
        }
      }
      for (uint d = 0; d < args.width; ++d) {
        [[unroll]] for (uint c = 0; c < block; ++c) {
          heads_of[c] = q[head[c] * args.width + d];
          dy_of[c] = dy[head[c] * args.width + d];
        }
        [[unroll]] for (uint r = 0; r < own_each; ++r) {
          if (key0 + lanes * r < args.keys) {
            const uint at = key[r] + d;
            float dk_sum = dk[at], dv_sum = dv[at];
            [[unroll]] for (uint c = 0; c < block; ++c) {
              dk_sum += ds[r][c] * heads_of[c];
              dv_sum += p[r][c] * dy_of[c];
            }
            dk[at] = dk_sum;
            dv[at] = dv_sum;
          }
        }
      }
    }
  }
}

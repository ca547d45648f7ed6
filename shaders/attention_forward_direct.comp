// As attention_forward: an invocation owns rows and walks over their keys with the online softmax; y holds the
// sums of p v until the end.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "lib/attention_direct.glsl"

layout(binding = 0) buffer Y { float y[]; };
layout(binding = 1) writeonly buffer Lse { float lse[]; };
layout(binding = 2) readonly buffer Q { float q[]; };
layout(binding = 3) readonly buffer K { float k[]; };
layout(binding = 4) readonly buffer V { float v[]; };
layout(binding = 5) readonly buffer KeyBegin { uint key_begin[]; };
layout(binding = 6) readonly buffer KeyEnd { uint key_end[]; };

const float lowest = -3.0e38;

void main() {
  const uint kv = gl_WorkGroupID.y, row0 = first_owned(), row_count = args.queries * group_heads();
  uint head[own_each], begin[own_each], end[own_each];
  float maximum[own_each], total[own_each];
  uint first = 0xffffffffu, last = 0;
  [[unroll]] for (uint r = 0; r < own_each; ++r) {
    const uint row = min(row0 + lanes * r, row_count - 1), t = row / group_heads();
    head[r] = t * args.heads + kv * group_heads() + (row - t * group_heads());
    begin[r] = key_begin[t];
    end[r] = row0 + lanes * r < row_count ? min(key_end[t], args.keys) : 0;
    maximum[r] = lowest;
    total[r] = 0;
    if (begin[r] < end[r]) {
      first = min(first, begin[r]);
      last = max(last, end[r]);
    }
  }

  for (uint tile = first; tile < last; tile += block) {
    // Keys that no owned row sees are never read: a cache may hold anything there.
    uint key[block];
    float p[own_each][block];
    float heads_of[block];
    [[unroll]] for (uint c = 0; c < block; ++c) {
      key[c] = (min(tile + c, last - 1) * args.kv_heads + kv) * args.width;
      [[unroll]] for (uint r = 0; r < own_each; ++r) p[r][c] = 0;
    }
    for (uint d = 0; d < args.width; ++d) {
      [[unroll]] for (uint c = 0; c < block; ++c) heads_of[c] = k[key[c] + d];
      [[unroll]] for (uint r = 0; r < own_each; ++r) {
        const float qd = q[head[r] * args.width + d];
        [[unroll]] for (uint c = 0; c < block; ++c) p[r][c] += qd * heads_of[c];
      }
    }
    float shrink[own_each];
    [[unroll]] for (uint r = 0; r < own_each; ++r) {
      float top = maximum[r];
      [[unroll]] for (uint c = 0; c < block; ++c) {
        const bool seen = tile + c >= begin[r] && tile + c < end[r];
        p[r][c] = seen ? args.scale * p[r][c] : lowest;
        top = max(top, p[r][c]);
      }
      shrink[r] = tile == first ? 0.0 : exp(maximum[r] - top);
      maximum[r] = top;
      total[r] *= shrink[r];
      [[unroll]] for (uint c = 0; c < block; ++c) {
        const bool seen = tile + c >= begin[r] && tile + c < end[r];
        p[r][c] = seen ? exp(p[r][c] - top) : 0.0;
        total[r] += p[r][c];
      }
    }
    for (uint d = 0; d < args.width; ++d) {
      [[unroll]] for (uint c = 0; c < block; ++c) heads_of[c] = v[key[c] + d];
      [[unroll]] for (uint r = 0; r < own_each; ++r) {
        if (row0 + lanes * r < row_count) {
          const uint at = head[r] * args.width + d;
          float sum = tile == first ? 0.0 : y[at] * shrink[r];
          [[unroll]] for (uint c = 0; c < block; ++c) sum += p[r][c] * heads_of[c];
          y[at] = sum;
        }
      }
    }
  }

  [[unroll]] for (uint r = 0; r < own_each; ++r) {
    if (row0 + lanes * r < row_count) {
      for (uint d = 0; d < args.width; ++d) {
        const uint at = head[r] * args.width + d;
        y[at] = total[r] > 0 ? y[at] / total[r] : 0.0;
      }
      const float minus_infinity = uintBitsToFloat(0xff800000u);
      lse[head[r]] = total[r] > 0 ? maximum[r] + log(total[r]) : minus_infinity;
    }
  }
}

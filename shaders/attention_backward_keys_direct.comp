// As attention_backward_keys: an invocation owns keys and walks over the heads of the group and, in order, the
// queries that see its keys.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "lib/attention_direct.glsl"

layout(binding = 0) writeonly buffer Dk { vec4 dk[]; };
layout(binding = 1) writeonly buffer Dv { vec4 dv[]; };
layout(binding = 2) uniform textureBuffer dy;
layout(binding = 3) uniform textureBuffer lse;
layout(binding = 4) uniform textureBuffer delta;
layout(binding = 5) uniform textureBuffer q;
layout(binding = 6) uniform textureBuffer k;
layout(binding = 7) uniform textureBuffer v;
layout(binding = 8) uniform utextureBuffer key_begin;
layout(binding = 9) uniform utextureBuffer key_end;
layout(binding = 10) readonly buffer QueryBegin { uint query_begin[]; };
layout(binding = 11) readonly buffer QueryEnd { uint query_end[]; };

void main() {
  const uint kv = gl_WorkGroupID.y, key0 = first_owned();
  uint key[own_each];
  vec4 dk_sum[own_each * quads], dv_sum[own_each * quads];
  uint first = 0xffffffffu, last = 0;
  [[unroll]] for (uint r = 0; r < own_each; ++r) {
    const uint s = min(key0 + lanes * r, args.keys - 1);
    key[r] = (s * args.kv_heads + kv) * quads;
    const uint begin = query_begin[s], end = min(query_end[s], args.queries);
    if (begin < end && key0 + lanes * r < args.keys) {
      first = min(first, begin);
      last = max(last, end);
    }
    [[unroll]] for (uint d = 0; d < quads; ++d) {
      dk_sum[r * quads + d] = vec4(0);
      dv_sum[r * quads + d] = vec4(0);
    }
  }

  for (uint g = 0; g < group_heads(); ++g) {
    for (uint tile = first; tile < last; tile += block) {
      uint head[block];
      float p[own_each * block], ds[own_each * block];
      [[unroll]] for (uint c = 0; c < block; ++c)
        head[c] = min(tile + c, last - 1) * args.heads + kv * group_heads() + g;
      [[unroll]] for (uint i = 0; i < own_each * block; ++i) {
        p[i] = 0;
        ds[i] = 0;
      }
      uint d = 0;
      for (;;) {  // the condition at the end: lib/gemm_texels.glsl says why
        vec4 rows[block], dy_rows[block];
        [[unroll]] for (uint c = 0; c < block; ++c) {
          rows[c] = texelFetch(q, int(head[c] * quads + d));
          dy_rows[c] = texelFetch(dy, int(head[c] * quads + d));
        }
        [[unroll]] for (uint r = 0; r < own_each; ++r) {
          const vec4 owned = texelFetch(k, int(key[r] + d)), value = texelFetch(v, int(key[r] + d));
          [[unroll]] for (uint c = 0; c < block; ++c) {
            p[r * block + c] += dot(owned, rows[c]);
            ds[r * block + c] += dot(value, dy_rows[c]);
          }
        }
        if (++d == quads) break;
      }
      [[unroll]] for (uint c = 0; c < block; ++c) {
        const uint t = min(tile + c, last - 1);
        const uint begin = texelFetch(key_begin, int(t / 4))[t % 4];
        const uint end = tile + c < last ? texelFetch(key_end, int(t / 4))[t % 4] : 0;
        const float row_lse = texelFetch(lse, int(head[c] / 4))[head[c] % 4];
        const float row_delta = texelFetch(delta, int(head[c] / 4))[head[c] % 4];
        [[unroll]] for (uint r = 0; r < own_each; ++r) {
          const uint i = r * block + c;
          const bool seen = key0 + lanes * r >= begin && key0 + lanes * r < end;
          p[i] = seen ? exp(args.scale * p[i] - row_lse) : 0.0;
          ds[i] = seen ? args.scale * p[i] * (ds[i] - row_delta) : 0.0;
        }
      }
      [[unroll]] for (uint d = 0; d < quads; ++d) {
        [[unroll]] for (uint c = 0; c < block; ++c) {
          const vec4 row = texelFetch(q, int(head[c] * quads + d)), dy_row = texelFetch(dy, int(head[c] * quads + d));
          [[unroll]] for (uint r = 0; r < own_each; ++r) {
            dk_sum[r * quads + d] += ds[r * block + c] * row;
            dv_sum[r * quads + d] += p[r * block + c] * dy_row;
          }
        }
      }
    }
  }

  [[unroll]] for (uint r = 0; r < own_each; ++r) {
    if (key0 + lanes * r < args.keys) {
      [[unroll]] for (uint d = 0; d < quads; ++d) {
        dk[key[r] + d] = dk_sum[r * quads + d];
        dv[key[r] + d] = dv_sum[r * quads + d];
      }
    }
  }
}

//! variants: OPERAND=f16,bf16
// dq[t,h] = scale · Σ_s ds[t,h,s] k[s],  ds = p · (dy[t,h]·v[s] − delta[t,h]),  p = exp(scale · q[t,h]·k[s]
// − lse[t,h]), on cooperative matrices; q, k, v, dy and ds rounded to 16 bits. A workgroup owns a tile of rows and
// walks over the keys that some row sees (lib/attention_coopmat.glsl).
#version 460
#extension GL_GOOGLE_include_directive : require
#include "lib/attention_coopmat.glsl"

layout(binding = 0) writeonly buffer Dq { vec4 dq[]; };
layout(binding = 1) readonly buffer Dy { vec4 dy[]; };
layout(binding = 2) readonly buffer Lse { float lse[]; };
layout(binding = 3) readonly buffer Delta { float delta[]; };
layout(binding = 4) readonly buffer Q { vec4 q[]; };
layout(binding = 5) readonly buffer Keys { vec4 k[]; };
layout(binding = 6) readonly buffer V { vec4 v[]; };
layout(binding = 7) readonly buffer KeyBegin { uint key_begin[]; };
layout(binding = 8) readonly buffer KeyEnd { uint key_end[]; };

shared OPERAND4 q_tile[OWNED * HEAD_STRIDE];
shared OPERAND4 dy_tile[OWNED * HEAD_STRIDE];
shared OPERAND4 kv_tile[WALKED * HEAD_STRIDE];

void main() {
  const uint kv = gl_WorkGroupID.y, row0 = gl_WorkGroupID.x * OWNED, row_count = args.queries * group_heads();
  const uint row = row0 + owned_of_lane();
  uint begin = 0, end = 0;
  float row_lse = 0, row_delta = 0;
  if (row < row_count) {
    begin = key_begin[row / group_heads()];
    end = min(key_end[row / group_heads()], args.keys);
    row_lse = lse[query_head(row, kv)];
    row_delta = delta[query_head(row, kv)];
  }
  const uvec2 seen_keys = workgroup_hull(begin, end);
  STAGE(q_tile, OWNED, q[query_head(min(row0 + at, row_count - 1), kv) * QUADS + quad])
  STAGE(dy_tile, OWNED, dy[query_head(min(row0 + at, row_count - 1), kv) * QUADS + quad])

  SUMS sum[FR * FD];
  CLEAR(sum)
  for (uint tile = seen_keys.x; tile < seen_keys.y; tile += WALKED) {
    // Values first, so that the keys, wanted twice, are what stays.
    STAGE(kv_tile, WALKED, v[key_head(min(tile + at, seen_keys.y - 1), kv) * QUADS + quad])
    barrier();
    MULTIPLY_HEADS(dy_tile, kv_tile)
    barrier();
    vec4 dp[EACH];
    [[unroll]] for (uint e = 0; e < EACH; ++e) dp[e] = scores[score_at(e)];
    STAGE(kv_tile, WALKED, k[key_head(min(tile + at, seen_keys.y - 1), kv) * QUADS + quad])
    barrier();
    MULTIPLY_HEADS(q_tile, kv_tile)
    barrier();
    [[unroll]] for (uint e = 0; e < EACH; ++e) {
      const bvec4 seen = within(tile + 4 * quad_of(e), begin, end);
      const vec4 p = exp(args.scale * scores[score_at(e)] - row_lse);
      weights[weight_at(e)] = OPERAND4(mix(vec4(0.0), p * (dp[e] - row_delta), seen));
    }
    barrier();
    ADD_WEIGHTED(sum, kv_tile)
    barrier();
  }
  STORE(sum, args.scale, row_count - row0, dq, query_head(row0 + at, kv))
}

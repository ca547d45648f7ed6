//! variants: OPERAND=f16,bf16
// y[t,h] = Σ_s p[t,h,s] v[s],  p = softmax over s in [key_begin[t], key_end[t]) of scale · q[t,h]·k[s],
// lse = its log-sum-exp, on cooperative matrices; q, k, p and v rounded to 16 bits. A workgroup owns a tile of rows and
// walks over the keys that some row sees with the online softmax (lib/attention_coopmat.glsl); a row's maximum and sum
// stay with the invocations that share it.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "lib/attention_coopmat.glsl"

layout(binding = 0) writeonly buffer Y { vec4 y[]; };
layout(binding = 1) writeonly buffer Lse { float lse[]; };
layout(binding = 2) readonly buffer Q { vec4 q[]; };
layout(binding = 3) readonly buffer Keys { vec4 k[]; };
layout(binding = 4) readonly buffer V { vec4 v[]; };
layout(binding = 5) readonly buffer KeyBegin { uint key_begin[]; };
layout(binding = 6) readonly buffer KeyEnd { uint key_end[]; };

shared OPERAND4 q_tile[OWNED * HEAD_STRIDE];
shared OPERAND4 kv_tile[WALKED * HEAD_STRIDE];
shared float shares[WORKGROUP];  // each invocation's part of a row's maximum or sum

void main() {
  const uint kv = gl_WorkGroupID.y, row0 = gl_WorkGroupID.x * OWNED, row_count = args.queries * group_heads();
  const uint row = row0 + owned_of_lane(), first_share = lane() - part_of_lane();
  uint begin = 0, end = 0;
  if (row < row_count) {
    begin = key_begin[row / group_heads()];
    end = min(key_end[row / group_heads()], args.keys);
  }
  const uvec2 seen_keys = workgroup_hull(begin, end);
  STAGE(q_tile, OWNED, q[query_head(min(row0 + at, row_count - 1), kv) * QUADS + quad])

  float maximum = lowest, total = 0;  // of the row; of this invocation's scores
  SUMS sum[FR * FD];
  CLEAR(sum)
  for (uint tile = seen_keys.x; tile < seen_keys.y; tile += WALKED) {
    // Keys that no row of the tile sees are never read: a cache may hold anything there.
    STAGE(kv_tile, WALKED, k[key_head(min(tile + at, seen_keys.y - 1), kv) * QUADS + quad])
    barrier();
    MULTIPLY_HEADS(q_tile, kv_tile)
    barrier();
    STAGE(kv_tile, WALKED, v[key_head(min(tile + at, seen_keys.y - 1), kv) * QUADS + quad])
    vec4 score[EACH];
    float top = maximum;
    [[unroll]] for (uint e = 0; e < EACH; ++e) {
      const bvec4 seen = within(tile + 4 * quad_of(e), begin, end);
      score[e] = mix(vec4(lowest), args.scale * scores[score_at(e)], seen);
      top = max(top, max(max(score[e].x, score[e].y), max(score[e].z, score[e].w)));
    }
    shares[lane()] = top;
    subgroupBarrier();
    for (uint i = 0; i < PER_OWNED; ++i) top = max(top, shares[first_share + i]);
    const float shrink = exp(maximum - top);
    maximum = top;
    total *= shrink;
    [[unroll]] for (uint e = 0; e < EACH; ++e) {
      const bvec4 seen = within(tile + 4 * quad_of(e), begin, end);
      const vec4 p = mix(vec4(0.0), exp(score[e] - top), seen);
      total += (p.x + p.y) + (p.z + p.w);
      weights[weight_at(e)] = OPERAND4(p);
      scores[score_at(e)] = vec4(shrink);
    }
    barrier();
    MULTIPLY_ROWS(sum)
    ADD_WEIGHTED(sum, kv_tile)
    barrier();
  }

  shares[lane()] = total;
  subgroupBarrier();
  total = 0;
  for (uint i = 0; i < PER_OWNED; ++i) total += shares[first_share + i];
  [[unroll]] for (uint e = 0; e < EACH; ++e) scores[score_at(e)] = vec4(total > 0 ? 1 / total : 0.0);
  if (row < row_count && part_of_lane() == 0) {
    const float minus_infinity = uintBitsToFloat(0xff800000u);
    lse[query_head(row, kv)] = total > 0 ? maximum + log(total) : minus_infinity;
  }
  barrier();
  MULTIPLY_ROWS(sum)
  barrier();
  STORE(sum, 1, row_count - row0, y, query_head(row0 + at, kv))
}

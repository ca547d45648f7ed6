//! variants: OPERAND=f16,bf16
// dv[s] = Σ_{t,h} p[t,h,s] dy[t,h],  dk[s] = scale · Σ_{t,h} ds[t,h,s] q[t,h] over the queries that see key
// s and the heads of its group; p and ds as in attention_backward_queries_coopmat, rounded to 16 bits as q, k, v and dy
// are. A workgroup owns a tile of keys and walks over the rows of [query_begin, query_end) in order
// (lib/attention_coopmat.glsl): scores here are [key, row].
#version 460
#extension GL_GOOGLE_include_directive : require
#include "lib/attention_coopmat.glsl"

layout(binding = 0) writeonly buffer Dk { vec4 dk[]; };
layout(binding = 1) writeonly buffer Dv { vec4 dv[]; };
layout(binding = 2) readonly buffer Dy { vec4 dy[]; };
layout(binding = 3) readonly buffer Lse { float lse[]; };
layout(binding = 4) readonly buffer Delta { float delta[]; };
layout(binding = 5) readonly buffer Q { vec4 q[]; };
layout(binding = 6) readonly buffer Keys { vec4 k[]; };
layout(binding = 7) readonly buffer V { vec4 v[]; };
layout(binding = 8) readonly buffer KeyBegin { uint key_begin[]; };
layout(binding = 9) readonly buffer KeyEnd { uint key_end[]; };
layout(binding = 10) readonly buffer QueryBegin { uint query_begin[]; };
layout(binding = 11) readonly buffer QueryEnd { uint query_end[]; };

shared OPERAND4 k_tile[OWNED * HEAD_STRIDE];
shared OPERAND4 v_tile[OWNED * HEAD_STRIDE];
shared OPERAND4 q_tile[WALKED * HEAD_STRIDE];
shared OPERAND4 dy_tile[WALKED * HEAD_STRIDE];
shared uint row_head[WALKED];  // of the walked rows: what a row has of its own
shared vec4 row_lse[WALKED / 4], row_delta[WALKED / 4];
shared uvec4 row_begin[WALKED / 4], row_end[WALKED / 4];

void load_rows(uint first, uint last, uint kv) {
  for (uint quad = lane(); quad < WALKED / 4; quad += WORKGROUP) {
    vec4 logs, deltas;
    uvec4 begin, end;
    [[unroll]] for (uint c = 0; c < 4; ++c) {
      const uint row = min(first + 4 * quad + c, last - 1), t = row / group_heads(), head = query_head(row, kv);
      row_head[4 * quad + c] = head;
      logs[c] = lse[head];
      deltas[c] = delta[head];
      begin[c] = key_begin[t];
      end[c] = first + 4 * quad + c < last ? min(key_end[t], args.keys) : 0;
    }
    row_lse[quad] = logs;
    row_delta[quad] = deltas;
    row_begin[quad] = begin;
    row_end[quad] = end;
  }
}

void main() {
  const uint kv = gl_WorkGroupID.y, key0 = gl_WorkGroupID.x * OWNED, key = key0 + owned_of_lane();
  uint begin = 0, end = 0;
  if (key < args.keys) {
    begin = query_begin[key];
    end = min(query_end[key], args.queries);
  }
  const uvec2 seeing_queries = workgroup_hull(begin, end);
  const uint first = min(seeing_queries.x, args.queries) * group_heads();
  const uint last = seeing_queries.y * group_heads();
  STAGE(k_tile, OWNED, k[key_head(min(key0 + at, args.keys - 1), kv) * QUADS + quad])
  STAGE(v_tile, OWNED, v[key_head(min(key0 + at, args.keys - 1), kv) * QUADS + quad])

  SUMS dk_sum[FR * FD], dv_sum[FR * FD];
  CLEAR(dk_sum)
  CLEAR(dv_sum)
  for (uint tile = first; tile < last; tile += WALKED) {
    load_rows(tile, last, kv);
    barrier();  // also for the tiles, which the last pass's products read
    STAGE(q_tile, WALKED, q[row_head[at] * QUADS + quad])
    STAGE(dy_tile, WALKED, dy[row_head[at] * QUADS + quad])
    barrier();
    MULTIPLY_HEADS(k_tile, q_tile)
    barrier();
    vec4 p[EACH];
    [[unroll]] for (uint e = 0; e < EACH; ++e) {
      const uvec4 from = row_begin[quad_of(e)], to = row_end[quad_of(e)];
      const uvec4 seen = uvec4(greaterThanEqual(uvec4(key), from)) & uvec4(lessThan(uvec4(key), to));
      p[e] = mix(vec4(0.0), exp(args.scale * scores[score_at(e)] - row_lse[quad_of(e)]), bvec4(seen));
      weights[weight_at(e)] = OPERAND4(p[e]);
    }
    barrier();
    ADD_WEIGHTED(dv_sum, dy_tile)
    MULTIPLY_HEADS(v_tile, dy_tile)
    barrier();
    [[unroll]] for (uint e = 0; e < EACH; ++e) {
      weights[weight_at(e)] = OPERAND4(p[e] * (scores[score_at(e)] - row_delta[quad_of(e)]));
    }
    barrier();
    ADD_WEIGHTED(dk_sum, q_tile)
  }
  STORE(dk_sum, args.scale, args.keys - key0, dk, key_head(key0 + at, kv))
  STORE(dv_sum, 1, args.keys - key0, dv, key_head(key0 + at, kv))
}

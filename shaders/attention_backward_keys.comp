// dv[s] = Σ_{t,h} p[t,h,s] dy[t,h],  dk[s] = scale · Σ_{t,h} ds[t,h,s] q[t,h] over the queries that see key
// s and the heads of its group; p and ds as in attention_backward_queries. A workgroup takes a tile of keys
// and walks over the rows of [query_begin, query_end) in order.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "lib/attention_tile.glsl"

layout(binding = 0) writeonly buffer Dk { float dk[]; };
layout(binding = 1) writeonly buffer Dv { float dv[]; };
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

shared float probabilities[tile_rows * pitch];
shared float gradients[tile_rows * pitch];
shared float q_chunk[chunk * row_stride];
shared float dy_chunk[chunk * row_stride];
shared float k_chunk[chunk * key_stride];
shared float v_chunk[chunk * key_stride];

void main() {
  const uint lane = gl_LocalInvocationID.x, i = lane / lanes, j = lane % lanes;
  const uint kv = gl_WorkGroupID.y, dim0 = gl_WorkGroupID.z * lanes * dims_each + j;
  const uint key0 = gl_WorkGroupID.x * tile_keys;

  uint first = 0xffffffffu, last = 0;
  for (uint c = lane; c < tile_keys; c += invocations) {
    if (key0 + c < args.keys) {
      const uint begin = query_begin[key0 + c], end = min(query_end[key0 + c], args.queries);
      if (begin < end) {
        first = min(first, begin);
        last = max(last, end);
      }
    }
  }
  const uvec2 seeing_queries = workgroup_union(first, last);
  const uint last_row = seeing_queries.y * group_heads();
  const uint first_row = min(seeing_queries.x, args.queries) * group_heads();

  uint k_stage[keys_each];
  [[unroll]] for (uint c = 0; c < keys_each; ++c) {
    k_stage[c] = (min(key0 + i + lanes * c, args.keys - 1) * args.kv_heads + kv) * args.width;
  }
  float dk_sum[keys_each][dims_each], dv_sum[keys_each][dims_each];  // of keys i + lanes·c
  [[unroll]] for (uint c = 0; c < keys_each; ++c) {
    [[unroll]] for (uint w = 0; w < dims_each; ++w) {
      dk_sum[c][w] = 0;
      dv_sum[c][w] = 0;
    }
  }

  for (uint tile = first_row; tile < last_row; tile += tile_rows) {
    uint q_stage[rows_each];
    float score[rows_each][keys_each], dp[rows_each][keys_each];
    [[unroll]] for (uint r = 0; r < rows_each; ++r) {
      q_stage[r] = query_head(min(tile + i + lanes * r, last_row - 1), kv) * args.width;
      [[unroll]] for (uint c = 0; c < keys_each; ++c) {
        score[r][c] = 0;
        dp[r][c] = 0;
      }
    }
    for (uint d0 = 0; d0 < args.width; d0 += chunk) {
      [[unroll]] for (uint r = 0; r < rows_each; ++r) {
        q_chunk[j * row_stride + i + lanes * r] = q[q_stage[r] + d0 + j];
        dy_chunk[j * row_stride + i + lanes * r] = dy[q_stage[r] + d0 + j];
      }
      [[unroll]] for (uint c = 0; c < keys_each; ++c) {
        k_chunk[j * key_stride + i + lanes * c] = k[k_stage[c] + d0 + j];
        v_chunk[j * key_stride + i + lanes * c] = v[k_stage[c] + d0 + j];
      }
      barrier();
      for (uint d = 0; d < chunk; ++d) {
        float kd[keys_each], vd[keys_each];
        [[unroll]] for (uint c = 0; c < keys_each; ++c) {
          kd[c] = k_chunk[d * key_stride + j + lanes * c];
          vd[c] = v_chunk[d * key_stride + j + lanes * c];
        }
        [[unroll]] for (uint r = 0; r < rows_each; ++r) {
          const float qd = q_chunk[d * row_stride + i * rows_each + r];
          const float dyd = dy_chunk[d * row_stride + i * rows_each + r];
          [[unroll]] for (uint c = 0; c < keys_each; ++c) {
            score[r][c] += qd * kd[c];
            dp[r][c] += dyd * vd[c];
          }
        }
      }
      barrier();
    }
    [[unroll]] for (uint r = 0; r < rows_each; ++r) {
      const uint row = min(tile + i * rows_each + r, last_row - 1), t = row / group_heads();
      const uint head = query_head(row, kv);
      const float row_lse = lse[head], row_delta = delta[head];
      const uint begin = key_begin[t], end = min(key_end[t], args.keys);
      [[unroll]] for (uint c = 0; c < keys_each; ++c) {
        const uint key = key0 + j + lanes * c;
        const bool seen = key >= begin && key < end;
        const float p = seen ? exp(args.scale * score[r][c] - row_lse) : 0.0;
        const uint at = (i * rows_each + r) * pitch + j + lanes * c;
        probabilities[at] = p;
        gradients[at] = seen ? p * (dp[r][c] - row_delta) : 0.0;
      }
    }
    barrier();
    const uint count = min(tile_rows, last_row - tile);
    for (uint r = 0; r < count; ++r) {
      const uint row_base = query_head(tile + r, kv) * args.width;
      float qd[dims_each], dyd[dims_each];
      [[unroll]] for (uint w = 0; w < dims_each; ++w) {
        const uint at = row_base + clamped_dim(dim0 + lanes * w);
        qd[w] = q[at];
        dyd[w] = dy[at];
      }
      [[unroll]] for (uint c = 0; c < keys_each; ++c) {
        const float p = probabilities[r * pitch + i + lanes * c], ds = gradients[r * pitch + i + lanes * c];
        [[unroll]] for (uint w = 0; w < dims_each; ++w) {
          dv_sum[c][w] += p * dyd[w];
          dk_sum[c][w] += ds * qd[w];
        }
      }
    }
    barrier();
  }

  [[unroll]] for (uint c = 0; c < keys_each; ++c) {
    const uint key = key0 + i + lanes * c;
    if (key < args.keys) {
      const uint base = (key * args.kv_heads + kv) * args.width;
      [[unroll]] for (uint w = 0; w < dims_each; ++w) {
        const uint dim = dim0 + lanes * w;
        if (dim < args.width) {
          dk[base + dim] = args.scale * dk_sum[c][w];
          dv[base + dim] = dv_sum[c][w];
        }
      }
    }
  }
}

// dq[t,h] = scale · Σ_s ds[t,h,s] k[s],  ds = p · (dy[t,h]·v[s] − delta[t,h]),  p = exp(scale · q[t,h]·k[s]
// − lse[t,h]). A workgroup takes a tile of rows and walks over the tiles of keys that some row sees.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "lib/attention_tile.glsl"

layout(binding = 0) writeonly buffer Dq { float dq[]; };
layout(binding = 1) readonly buffer Dy { float dy[]; };
layout(binding = 2) readonly buffer Lse { float lse[]; };
layout(binding = 3) readonly buffer Delta { float delta[]; };
layout(binding = 4) readonly buffer Q { float q[]; };
layout(binding = 5) readonly buffer K { float k[]; };
layout(binding = 6) readonly buffer V { float v[]; };
layout(binding = 7) readonly buffer KeyBegin { uint key_begin[]; };
layout(binding = 8) readonly buffer KeyEnd { uint key_end[]; };

shared float gradients[tile_rows * pitch];
shared float q_chunk[chunk * row_stride];
shared float dy_chunk[chunk * row_stride];
shared float k_chunk[chunk * key_stride];
shared float v_chunk[chunk * key_stride];

void main() {
  const uint lane = gl_LocalInvocationID.x, i = lane / lanes, j = lane % lanes, i0 = i * rows_each;
  const uint kv = gl_WorkGroupID.y, dim0 = gl_WorkGroupID.z * lanes * dims_each + j;
  const uint row0 = gl_WorkGroupID.x * tile_rows, row_count = args.queries * group_heads();

  uint q_base[rows_each], q_stage[rows_each], begin[rows_each], end[rows_each];
  float row_lse[rows_each], row_delta[rows_each], sum[rows_each][dims_each];
  uint first = 0xffffffffu, last = 0;
  [[unroll]] for (uint r = 0; r < rows_each; ++r) {
    const uint row = min(row0 + i0 + r, row_count - 1), t = row / group_heads(), head = query_head(row, kv);
    q_base[r] = head * args.width;
    q_stage[r] = query_head(min(row0 + i + lanes * r, row_count - 1), kv) * args.width;
    row_lse[r] = lse[head];
    row_delta[r] = delta[head];
    begin[r] = key_begin[t];
    end[r] = row0 + i0 + r < row_count ? min(key_end[t], args.keys) : 0;
    if (begin[r] < end[r]) {
      first = min(first, begin[r]);
      last = max(last, end[r]);
    }
    [[unroll]] for (uint w = 0; w < dims_each; ++w) sum[r][w] = 0;
  }
  const uvec2 seen_keys = workgroup_union(first, last);
  first = seen_keys.x;
  last = seen_keys.y;

  for (uint tile = first; tile < last; tile += tile_keys) {
    uint k_stage[keys_each];
    float score[rows_each][keys_each], dp[rows_each][keys_each];
    [[unroll]] for (uint c = 0; c < keys_each; ++c) {
      k_stage[c] = (min(tile + i + lanes * c, last - 1) * args.kv_heads + kv) * args.width;
      [[unroll]] for (uint r = 0; r < rows_each; ++r) {
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
          const float qd = q_chunk[d * row_stride + i0 + r];
          const float dyd = dy_chunk[d * row_stride + i0 + r];
          [[unroll]] for (uint c = 0; c < keys_each; ++c) {
            score[r][c] += qd * kd[c];
            dp[r][c] += dyd * vd[c];
          }
        }
      }
      barrier();
    }
    [[unroll]] for (uint r = 0; r < rows_each; ++r) {
      [[unroll]] for (uint c = 0; c < keys_each; ++c) {
        const uint key = tile + j + lanes * c;
        const bool seen = key >= begin[r] && key < end[r];
        const float p = seen ? exp(args.scale * score[r][c] - row_lse[r]) : 0.0;
        gradients[(i0 + r) * pitch + j + lanes * c] = seen ? p * (dp[r][c] - row_delta[r]) : 0.0;
      }
    }
    barrier();
    const uint count = min(tile_keys, last - tile);
    for (uint c = 0; c < count; ++c) {
      const uint k_row = ((tile + c) * args.kv_heads + kv) * args.width;
      float kd[dims_each];
      [[unroll]] for (uint w = 0; w < dims_each; ++w) kd[w] = k[k_row + clamped_dim(dim0 + lanes * w)];
      [[unroll]] for (uint r = 0; r < rows_each; ++r) {
        const float ds = gradients[(i0 + r) * pitch + c];
        [[unroll]] for (uint w = 0; w < dims_each; ++w) sum[r][w] += ds * kd[w];
      }
    }
    barrier();
  }

  [[unroll]] for (uint r = 0; r < rows_each; ++r) {
    if (row0 + i0 + r < row_count) {
      [[unroll]] for (uint w = 0; w < dims_each; ++w) {
        const uint dim = dim0 + lanes * w;
        if (dim < args.width) dq[q_base[r] + dim] = args.scale * sum[r][w];
      }
    }
  }
}

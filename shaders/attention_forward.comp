// y[t,h] = Σ_s p[t,h,s] v[s],  p = softmax over s in [key_begin[t], key_end[t]) of scale · q[t,h]·k[s],
// lse = its log-sum-exp. A workgroup takes a tile of rows and walks over the tiles of keys that some row
// sees, with the online softmax of Dao et al. (2022, arXiv 2205.14135, algorithm 1): maximum and sum of a
// row in shared memory, the sums of p v in registers.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "lib/attention_tile.glsl"

layout(binding = 0) writeonly buffer Y { float y[]; };
layout(binding = 1) writeonly buffer Lse { float lse[]; };
layout(binding = 2) readonly buffer Q { float q[]; };
layout(binding = 3) readonly buffer K { float k[]; };
layout(binding = 4) readonly buffer V { float v[]; };
layout(binding = 5) readonly buffer KeyBegin { uint key_begin[]; };
layout(binding = 6) readonly buffer KeyEnd { uint key_end[]; };

const float lowest = -3.0e38;

shared float scores[tile_rows * pitch];
shared uint row_begin[tile_rows];
shared uint row_end[tile_rows];
shared float row_maximum[tile_rows];
shared float row_total[tile_rows];
shared float row_factor[tile_rows];
shared float q_chunk[chunk * row_stride];
shared float k_chunk[chunk * key_stride];

void main() {
  const uint lane = gl_LocalInvocationID.x, i = lane / lanes, j = lane % lanes, i0 = i * rows_each;
  const uint kv = gl_WorkGroupID.y, dim0 = gl_WorkGroupID.z * lanes * dims_each + j;
  const uint row0 = gl_WorkGroupID.x * tile_rows, row_count = args.queries * group_heads();
  const bool live = row0 + i0 < row_count;  // decoding has a row or two, the other invocations only stage

  uint first = 0xffffffffu, last = 0;
  for (uint r = lane; r < tile_rows; r += invocations) {
    const bool inside = row0 + r < row_count;
    const uint t = min(row0 + r, row_count - 1) / group_heads();
    const uint begin = key_begin[t], end = inside ? min(key_end[t], args.keys) : 0;
    row_begin[r] = begin;
    row_end[r] = end;
    row_maximum[r] = lowest;
    row_total[r] = 0;
    if (begin < end) {
      first = min(first, begin);
      last = max(last, end);
    }
  }
  const uvec2 seen_keys = workgroup_union(first, last);
  first = seen_keys.x;
  last = seen_keys.y;

  uint q_base[rows_each], q_stage[rows_each];
  float sum[rows_each][dims_each];
  [[unroll]] for (uint r = 0; r < rows_each; ++r) {
    q_base[r] = query_head(min(row0 + i0 + r, row_count - 1), kv) * args.width;
    q_stage[r] = query_head(min(row0 + i + lanes * r, row_count - 1), kv) * args.width;
    [[unroll]] for (uint w = 0; w < dims_each; ++w) sum[r][w] = 0;
  }

  for (uint tile = first; tile < last; tile += tile_keys) {
    uint k_stage[keys_each];
    float score[rows_each][keys_each];
    [[unroll]] for (uint c = 0; c < keys_each; ++c) {
      // Keys that no row of the tile sees are never read: a cache may hold anything there.
      k_stage[c] = (min(tile + i + lanes * c, last - 1) * args.kv_heads + kv) * args.width;
      [[unroll]] for (uint r = 0; r < rows_each; ++r) score[r][c] = 0;
    }
    for (uint d0 = 0; d0 < args.width; d0 += chunk) {
      [[unroll]] for (uint r = 0; r < rows_each; ++r) {
        q_chunk[j * row_stride + i + lanes * r] = q[q_stage[r] + d0 + j];
      }
      [[unroll]] for (uint c = 0; c < keys_each; ++c) {
        k_chunk[j * key_stride + i + lanes * c] = k[k_stage[c] + d0 + j];
      }
      barrier();
      for (uint d = 0; live && d < chunk; ++d) {
        float kd[keys_each];
        [[unroll]] for (uint c = 0; c < keys_each; ++c) kd[c] = k_chunk[d * key_stride + j + lanes * c];
        [[unroll]] for (uint r = 0; r < rows_each; ++r) {
          const float qd = q_chunk[d * row_stride + i0 + r];
          [[unroll]] for (uint c = 0; c < keys_each; ++c) score[r][c] += qd * kd[c];
        }
      }
      barrier();
    }
    [[unroll]] for (uint r = 0; r < rows_each; ++r) {
      [[unroll]] for (uint c = 0; c < keys_each; ++c) {
        scores[(i0 + r) * pitch + j + lanes * c] = args.scale * score[r][c];
      }
    }
    barrier();
    const uint count = min(tile_keys, last - tile);
    for (uint r = lane; r < tile_rows; r += invocations) {
      const uint begin = row_begin[r], end = row_end[r];
      const float before = row_maximum[r];
      float top = before;
      for (uint c = 0; c < count; ++c) {
        if (tile + c >= begin && tile + c < end) top = max(top, scores[r * pitch + c]);
      }
      const float shrink = exp(before - top);
      float total = row_total[r] * shrink;
      for (uint c = 0; c < count; ++c) {
        const bool seen = tile + c >= begin && tile + c < end;
        const float p = seen ? exp(scores[r * pitch + c] - top) : 0.0;
        scores[r * pitch + c] = p;
        total += p;
      }
      row_maximum[r] = top;
      row_total[r] = total;
      row_factor[r] = shrink;
    }
    barrier();
    [[unroll]] for (uint r = 0; r < rows_each; ++r) {
      const float shrink = row_factor[i0 + r];
      [[unroll]] for (uint w = 0; w < dims_each; ++w) sum[r][w] *= shrink;
    }
    for (uint c = 0; live && c < count; ++c) {
      const uint v_base = ((tile + c) * args.kv_heads + kv) * args.width;
      float vd[dims_each];
      [[unroll]] for (uint w = 0; w < dims_each; ++w) vd[w] = v[v_base + clamped_dim(dim0 + lanes * w)];
      [[unroll]] for (uint r = 0; r < rows_each; ++r) {
        const float p = scores[(i0 + r) * pitch + c];
        [[unroll]] for (uint w = 0; w < dims_each; ++w) sum[r][w] += p * vd[w];
      }
    }
    barrier();
  }

  [[unroll]] for (uint r = 0; r < rows_each; ++r) {
    if (row0 + i0 + r < row_count) {
      const float total = row_total[i0 + r];
      const float factor = total > 0 ? 1 / total : 0;
      [[unroll]] for (uint w = 0; w < dims_each; ++w) {
        const uint dim = dim0 + lanes * w;
        if (dim < args.width) y[q_base[r] + dim] = sum[r][w] * factor;
      }
      if (dim0 == 0) {
        const float minus_infinity = uintBitsToFloat(0xff800000u);
        lse[query_head(row0 + i0 + r, kv)] = total > 0 ? row_maximum[i0 + r] + log(total) : minus_infinity;
      }
    }
  }
}

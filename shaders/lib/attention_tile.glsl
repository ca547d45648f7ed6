// What the attention kernels share. A tile has rows and keys: the query heads that share a KV head are rows
// of one tile, so that they share its keys and values; row r is query r / group, head r % group of the
// group. A workgroup is a square of 8 × 8 invocations; invocation (i, j) computes the scores of rows_each
// rows, contiguous, with keys_each keys, 8 apart. Sums over keys or rows have 8 · dims_each dims of the
// head: a slice (workgroup axis z), several where the head is wider. Products over the head's dims pass
// through shared memory 8 dims at a time.
#extension GL_EXT_control_flow_attributes : require
#include "attention.h"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint rows_each = 8;
layout(constant_id = 1) const uint keys_each = 8;
layout(constant_id = 2) const uint dims_each = 8;
layout(push_constant) uniform Push { AttentionArgs args; };

const uint lanes = 8;
const uint invocations = 64;
const uint chunk = 8;  // dims staged at once, one a lane
const uint tile_rows = lanes * rows_each;
const uint tile_keys = lanes * keys_each;
const uint row_stride = tile_rows + 4, key_stride = tile_keys + 4;  // of staged dims, padded for the banks
const uint pitch = tile_keys + 1;  // of a tile of scores in shared memory, against bank conflicts

uint group_heads() { return args.heads / args.kv_heads; }

/// Index of a row's query head in [T, H].
uint query_head(uint row, uint kv) {
  const uint group = group_heads();
  return row / group * args.heads + kv * group + row % group;
}

uint clamped_dim(uint dim) { return min(dim, args.width - 1); }

shared uint shared_first[invocations];
shared uint shared_last[invocations];

/// The union of every invocation's ranges, for all: (0xffffffff, 0) where all are empty.
uvec2 workgroup_union(uint first, uint last) {
  shared_first[gl_LocalInvocationID.x] = first;
  shared_last[gl_LocalInvocationID.x] = last;
  barrier();
  for (uint i = 0; i < invocations; ++i) {
    first = min(first, shared_first[i]);
    last = max(last, shared_last[i]);
  }
  return uvec2(first, last);
}

// dvalues[l] += scale · Σ_t dyt[i_l,t] · xt[j_l,t]: of every 16 rows of F the dense product with the union of their columns,
// of which the coefficients' entries are kept; rows i, columns of the union, depth t
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#include "lib/gemm.glsl"
#include "sddmm_gathered.h"

layout(binding = 0) buffer Dvalues { float dvalues[]; };
layout(binding = 1) readonly buffer Dyt { float dyt[]; };
layout(binding = 2) readonly buffer Xt { float xt[]; };
layout(binding = 3) readonly buffer RowPtr { uint row_ptr[]; };
layout(binding = 4) readonly buffer ColumnsOf { uint columns_of[]; };
layout(binding = 5) readonly buffer BlockPtr { uint block_ptr[]; };
layout(binding = 6) readonly buffer UnionOf { uint union_of[]; };
layout(push_constant) uniform Push { SddmmGatheredArgs args; };
#include "lib/row_block.glsl"

void stage_a(uint row0, uint k0) {
  for (uint e = gl_LocalInvocationID.x; e < BM * BK; e += WORKGROUP) {
    const uint row = row0 + e / BK, k = k0 + e % BK;
    a_tile[e % BK * BM + e / BK] = row < args.rows && k < args.tokens ? dyt[row * args.tokens + k] : 0.0;
  }
}

void stage_b(uint k0, uint column0) {
  const uint columns = block_columns();
  for (uint e = gl_LocalInvocationID.x; e < BN * BK; e += WORKGROUP) {
    const uint column = column0 + e / BK, k = k0 + e % BK;
    const bool inside = column < columns && k < args.tokens;
    b_tile[e % BK * BN + e / BK] = inside ? xt[gathered(column) * args.tokens + k] : 0.0;
  }
}

void load_a(uint row, uint k0, out float a[8]) {
  [[unroll]] for (uint e = 0; e < 8; ++e) a[e] = k0 + e < args.tokens ? dyt[row * args.tokens + k0 + e] : 0.0;
}

void load_b(uint k0, uint column0) {
  const uint last = block_columns() - 1;
  [[unroll]] for (uint j = 0; j < TN; ++j) {
    const uint start = gathered(min(column0 + j, last)) * args.tokens;
    [[unroll]] for (uint e = 0; e < 8; ++e) b[8 * j + e] = k0 + e < args.tokens ? xt[start + k0 + e] : 0.0;
  }
}

void store(uint row, uint column, float value) { keep(row, column, value); }

void main() {
  const uint columns = block_columns();
  if (gl_WorkGroupID.x * BN < columns) gemm(args.rows, columns, args.tokens);
}

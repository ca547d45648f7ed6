//! variants: OPERAND=f16,bf16
// dvalues[l] += scale · Σ_t dyt[i_l,t] · xt[j_l,t]: of every 16 rows of F the dense product with the union of their columns,
// operands rounded to 16 bits, of which the coefficients' entries are kept; rows i, columns of the union, depth t
#version 460
#extension GL_GOOGLE_include_directive : require
#define A_ALONG_K 1
#define B_ALONG_K 1
#include "lib/gemm_coopmat.glsl"
#include "sddmm_gathered.h"

layout(binding = 0) buffer Dvalues { float dvalues[]; };
layout(binding = 1) readonly buffer Dyt { float dyt[]; };
layout(binding = 1) readonly buffer Dyt4 { vec4 dyt4[]; };
layout(binding = 2) readonly buffer Xt { float xt[]; };
layout(binding = 2) readonly buffer Xt4 { vec4 xt4[]; };
layout(binding = 3) readonly buffer RowPtr { uint row_ptr[]; };
layout(binding = 4) readonly buffer ColumnsOf { uint columns_of[]; };
layout(binding = 5) readonly buffer BlockPtr { uint block_ptr[]; };
layout(binding = 6) readonly buffer UnionOf { uint union_of[]; };
layout(push_constant) uniform Push { SddmmGatheredArgs args; };
#include "lib/row_block.glsl"

void a_run(uint row, uint k, out vec4 low, out vec4 high) {
  READ_RUN(dyt, dyt4, row < args.rows, k, args.tokens, row * args.tokens + k, low, high)
}

void b_run(uint column, uint k, out vec4 low, out vec4 high) {
  const uint columns = block_columns(), start = gathered(min(column, columns - 1)) * args.tokens;
  READ_RUN(xt, xt4, column < columns, k, args.tokens, start + k, low, high)
}

void store(uint row, uint column, float value) { keep(row, column, value); }

void main() {
  const uint columns = block_columns();
  if (gl_WorkGroupID.x * BN < columns) gemm(args.rows, columns, args.tokens);
}

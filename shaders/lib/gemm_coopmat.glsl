// C[rows, columns] = Σ_k A(row, k) · B(k, column) on cooperative matrices: operands of 16 bits (OPERAND=f16,bf16), sums
// in fp32.
//
// A workgroup of SUBGROUP_ROWS × subgroup columns makes a tile [BM, BN]; each subgroup FR × FC matrices [M, N] of it.
// Slabs of BK values of k pass through shared memory, converted to the operands' type on the way there. A tile lies
// there as the operand lies in its buffer, so that both are touched along rows: A_ALONG_K says that eight values of A
// that follow each other in memory follow each other in k (else in the row), B_ALONG_K the same of B (else in the
// column). Rows of a tile are padded by 16 bytes against bank conflicts, which keeps the loads of matrices aligned.
// Results leave through shared memory too, so that stores are contiguous and edges are cut element by element.
//
// The including kernel defines A_ALONG_K and B_ALONG_K before this file, and after it what is declared below and a main
// that calls gemm(rows, columns, depth), or, for a sum of products, gemm with the depth of each and their number;
// `product` then says whose runs are read.
#include "operand.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 256;
layout(constant_id = 1) const uint SUBGROUP = 32;
layout(constant_id = 2) const uint M = 16;  // the matrix that the device multiplies: [M, K] by [K, N]
layout(constant_id = 3) const uint N = 16;
layout(constant_id = 4) const uint K = 16;
layout(constant_id = 5) const uint SUBGROUP_ROWS = 2;
layout(constant_id = 6) const uint FR = 4;
layout(constant_id = 7) const uint FC = 2;
layout(constant_id = 8) const uint BK = 32;
layout(constant_id = 9) const bool WHOLE = false;  // runs of eight lie wholly inside or outside, on 16-byte boundaries
const uint SUBGROUP_COLUMNS = WORKGROUP / SUBGROUP / SUBGROUP_ROWS;
const uint BM = SUBGROUP_ROWS * FR * M;
const uint BN = SUBGROUP_COLUMNS * FC * N;

// The tiles: OUTER rows of INNER operands, four to an element.
#if A_ALONG_K
const uint A_OUTER = BM, A_INNER = BK;
#define A_LAYOUT gl_CooperativeMatrixLayoutRowMajor
#define A_AT(row, k) ((row) * A_STRIDE + (k) / 4)
#else
const uint A_OUTER = BK, A_INNER = BM;
#define A_LAYOUT gl_CooperativeMatrixLayoutColumnMajor
#define A_AT(row, k) ((k) * A_STRIDE + (row) / 4)
#endif
#if B_ALONG_K
const uint B_OUTER = BN, B_INNER = BK;
#define B_LAYOUT gl_CooperativeMatrixLayoutColumnMajor
#define B_AT(k, column) ((column) * B_STRIDE + (k) / 4)
#else
const uint B_OUTER = BK, B_INNER = BN;
#define B_LAYOUT gl_CooperativeMatrixLayoutRowMajor
#define B_AT(k, column) ((k) * B_STRIDE + (column) / 4)
#endif
const uint A_STRIDE = A_INNER / 4 + 2, B_STRIDE = B_INNER / 4 + 2;

shared OPERAND4 a_tile[A_OUTER * A_STRIDE];
shared OPERAND4 b_tile[B_OUTER * B_STRIDE];
shared float results[WORKGROUP / SUBGROUP * M * N];

// Eight values that follow each other in memory, from the inner index on; 0 outside of the matrix.
uint product = 0;
void a_run(uint outer, uint inner, out vec4 low, out vec4 high);
void b_run(uint outer, uint inner, out vec4 low, out vec4 high);
void store(uint row, uint column, float value);

// Reads such a run of fp32 values at `at` of a buffer declared twice, as floats `name` and as vectors `name4`.
#define READ_RUN(name, name4, outer_inside, inner, limit, at, low, high)                               \
  low = high = vec4(0.0);                                                                              \
  if (WHOLE) {                                                                                         \
    if ((outer_inside) && (inner) < (limit)) {                                                         \
      low = name4[(at) / 4];                                                                           \
      high = name4[(at) / 4 + 1];                                                                      \
    }                                                                                                  \
  } else if (outer_inside) {                                                                           \
    [[unroll]] for (uint e = 0; e < 4; ++e) {                                                          \
      if ((inner) + e < (limit)) low[e] = name[(at) + e];                                              \
      if ((inner) + 4 + e < (limit)) high[e] = name[(at) + 4 + e];                                     \
    }                                                                                                  \
  }

void stage_a(uint outer0, uint inner0) {
  for (uint e = gl_LocalInvocationID.x; e < A_OUTER * (A_INNER / 8); e += WORKGROUP) {
    const uint outer = e / (A_INNER / 8), inner = e % (A_INNER / 8) * 8;
    vec4 low, high;
    a_run(outer0 + outer, inner0 + inner, low, high);
    a_tile[outer * A_STRIDE + inner / 4] = OPERAND4(low);
    a_tile[outer * A_STRIDE + inner / 4 + 1] = OPERAND4(high);
  }
}

void stage_b(uint outer0, uint inner0) {
  for (uint e = gl_LocalInvocationID.x; e < B_OUTER * (B_INNER / 8); e += WORKGROUP) {
    const uint outer = e / (B_INNER / 8), inner = e % (B_INNER / 8) * 8;
    vec4 low, high;
    b_run(outer0 + outer, inner0 + inner, low, high);
    b_tile[outer * B_STRIDE + inner / 4] = OPERAND4(low);
    b_tile[outer * B_STRIDE + inner / 4 + 1] = OPERAND4(high);
  }
}

void gemm(uint rows, uint columns, uvec3 depths, uint products) {
  const uint row0 = gl_WorkGroupID.y * BM, column0 = gl_WorkGroupID.x * BN;
  const uint of_row = gl_SubgroupID / SUBGROUP_COLUMNS * (FR * M);  // the subgroup's part of the tile
  const uint of_column = gl_SubgroupID % SUBGROUP_COLUMNS * (FC * N);
  coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator> sum[FR * FC];
  [[unroll]] for (uint i = 0; i < FR * FC; ++i) {
    sum[i] = coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>(0.0);
  }
  for (product = 0; product < products; ++product) {
    for (uint k0 = 0; k0 < depths[product]; k0 += BK) {
#if A_ALONG_K
      stage_a(row0, k0);
#else
      stage_a(k0, row0);
#endif
#if B_ALONG_K
      stage_b(column0, k0);
#else
      stage_b(k0, column0);
#endif
      barrier();
      [[unroll]] for (uint k = 0; k < BK; k += K) {
        coopmat<OPERAND1, gl_ScopeSubgroup, M, K, gl_MatrixUseA> a[FR];
        [[unroll]] for (uint i = 0; i < FR; ++i) {
          coopMatLoad(a[i], a_tile, A_AT(of_row + i * M, k), A_STRIDE, A_LAYOUT);
        }
        [[unroll]] for (uint j = 0; j < FC; ++j) {
          coopmat<OPERAND1, gl_ScopeSubgroup, K, N, gl_MatrixUseB> b;
          coopMatLoad(b, b_tile, B_AT(k, of_column + j * N), B_STRIDE, B_LAYOUT);
          [[unroll]] for (uint i = 0; i < FR; ++i) sum[i * FC + j] = coopMatMulAdd(a[i], b, sum[i * FC + j]);
        }
      }
      barrier();
    }
  }
  const uint own = gl_SubgroupID * M * N;
  [[unroll]] for (uint i = 0; i < FR; ++i) {
    [[unroll]] for (uint j = 0; j < FC; ++j) {
      coopMatStore(sum[i * FC + j], results, own, N, gl_CooperativeMatrixLayoutRowMajor);
      subgroupBarrier();
      for (uint e = gl_SubgroupInvocationID; e < M * N; e += SUBGROUP) {
        const uint row = row0 + of_row + i * M + e / N, column = column0 + of_column + j * N + e % N;
        if (row < rows && column < columns) store(row, column, results[own + e]);
      }
      subgroupBarrier();
    }
  }
}

void gemm(uint rows, uint columns, uint depth) { gemm(rows, columns, uvec3(depth), 1); }

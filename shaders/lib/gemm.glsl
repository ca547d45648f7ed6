// C[rows, columns] = Σ_k A(row, k) · B(k, column), summed over k in order.
//
// A workgroup of GX × GY invocations makes a tile of GY·TM rows and GX·TN columns; each invocation TM × TN of it, as
// accumulators in registers. Two ways to feed them:
// - BK > 0: slabs of BK values of k pass through shared memory, where every invocation of the tile reads them;
// - BK = 0: each invocation loads its own operands, 8 values of k at a time, for devices whose shared memory is no
//   faster than a buffer. A large TM × TN then pays for the loads. No barriers.
// Tiles on the edge check bounds, unless the host says that all divide (EVEN).
//
// The including kernel defines what is declared below and a main that calls gemm(rows, columns, depth), or, for a sum of
// products, gemm with the depth of each and their number; `product` then says whose operands are loaded.
layout(local_size_x_id = 0) in;  // one axis, because lavapipe makes subgroups along x only
layout(constant_id = 0) const uint WORKGROUP = 256;
layout(constant_id = 1) const uint GX = 16;
layout(constant_id = 2) const uint TM = 4;
layout(constant_id = 3) const uint TN = 4;
layout(constant_id = 4) const uint BK = 16;
layout(constant_id = 5) const bool EVEN = false;
const uint GY = WORKGROUP / GX;
const uint BM = GY * TM;
const uint BN = GX * TN;

shared float a_tile[BK * BM + 1];
shared float b_tile[BK * BN + 1];

// Fill a_tile[k * BM + row] and b_tile[k * BN + column], 0 outside of the matrices.
void stage_a(uint row0, uint k0);
void stage_b(uint k0, uint column0);
// a[e] = A(row, k0 + e) and b[8 * j + e] = B(k0 + e, column0 + j), 0 from the depth on; the row is inside, columns
// outside may get any value.
float b[8 * TN];
uint product = 0;
void load_a(uint row, uint k0, out float a[8]);
void load_b(uint k0, uint column0);
void store(uint row, uint column, float value);

void gemm_staged(uint rows, uint columns, uvec3 depths, uint products) {
  const uint lx = gl_LocalInvocationID.x % GX, ly = gl_LocalInvocationID.x / GX;
  const uint row0 = gl_WorkGroupID.y * BM, column0 = gl_WorkGroupID.x * BN;
  float sum[TM * TN];
  [[unroll]] for (uint i = 0; i < TM * TN; ++i) sum[i] = 0.0;
  for (product = 0; product < products; ++product) {
    for (uint k0 = 0; k0 < depths[product]; k0 += BK) {
      stage_a(row0, k0);
      stage_b(k0, column0);
      barrier();
      for (uint k = 0; k < BK; ++k) {
        float a[TM];
        float b_row[TN];
        [[unroll]] for (uint i = 0; i < TM; ++i) a[i] = a_tile[k * BM + ly + GY * i];
        [[unroll]] for (uint j = 0; j < TN; ++j) b_row[j] = b_tile[k * BN + lx + GX * j];
        [[unroll]] for (uint i = 0; i < TM; ++i) {
          [[unroll]] for (uint j = 0; j < TN; ++j) sum[i * TN + j] += a[i] * b_row[j];
        }
      }
      barrier();
    }
  }
  [[unroll]] for (uint i = 0; i < TM; ++i) {
    [[unroll]] for (uint j = 0; j < TN; ++j) {
      const uint row = row0 + ly + GY * i, column = column0 + lx + GX * j;
      if (EVEN || (row < rows && column < columns)) store(row, column, sum[i * TN + j]);
    }
  }
}

void gemm_direct(uint rows, uint columns, uvec3 depths, uint products) {
  const uint row0 = gl_WorkGroupID.y * BM + gl_LocalInvocationID.x / GX;
  const uint column0 = gl_WorkGroupID.x * BN + gl_LocalInvocationID.x % GX * TN;
  float sum[TM * TN];
  [[unroll]] for (uint i = 0; i < TM * TN; ++i) sum[i] = 0.0;
  for (product = 0; product < products; ++product) {
    uint k0 = 0;
    for (;;) {  // the condition at the end: lib/gemm_texels.glsl says why
      load_b(k0, column0);
      [[unroll]] for (uint i = 0; i < TM; ++i) {
        float a[8];
        load_a(min(row0 + GY * i, rows - 1), k0, a);
        [[unroll]] for (uint j = 0; j < TN; ++j) {
          [[unroll]] for (uint e = 0; e < 8; ++e) sum[i * TN + j] += a[e] * b[8 * j + e];
        }
      }
      k0 += 8;
      if (k0 >= depths[product]) break;
    }
  }
  [[unroll]] for (uint i = 0; i < TM; ++i) {
    [[unroll]] for (uint j = 0; j < TN; ++j) {
      const uint row = row0 + GY * i, column = column0 + j;
      if (EVEN || (row < rows && column < columns)) store(row, column, sum[i * TN + j]);
    }
  }
}

void gemm(uint rows, uint columns, uvec3 depths, uint products) {
  if (BK > 0) {
    gemm_staged(rows, columns, depths, products);
  } else {
    gemm_direct(rows, columns, depths, products);
  }
}

void gemm(uint rows, uint columns, uint depth) { gemm(rows, columns, uvec3(depth), 1); }

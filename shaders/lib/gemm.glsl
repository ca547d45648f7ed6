// C[rows, columns] = Σ_k A(row, k) · B(k, column), summed over k in order.
//
// A workgroup of GX × GY invocations makes a tile of GY·TM rows and GX·TN columns; each invocation TM × TN of it, as
// accumulators in registers. Slabs of BK values of k pass through shared memory. Tiles on the edge check bounds,
// unless the host says that all divide (EVEN).
//
// The including kernel defines, after this file:
//   void stage_a(uint row0, uint k0), void stage_b(uint k0, uint column0): fill a_tile and b_tile, 0 outside
//   void store(uint row, uint column, float value)
//   and a main that calls gemm(rows, columns, depth).
layout(local_size_x_id = 0, local_size_y_id = 1) in;
layout(constant_id = 0) const uint GX = 16;
layout(constant_id = 1) const uint GY = 16;
layout(constant_id = 2) const uint TM = 4;
layout(constant_id = 3) const uint TN = 4;
layout(constant_id = 4) const uint BK = 16;
layout(constant_id = 5) const bool EVEN = false;
const uint BM = GY * TM;
const uint BN = GX * TN;
const uint WORKGROUP = GX * GY;

shared float a_tile[BK * BM];
shared float b_tile[BK * BN];

void stage_a(uint row0, uint k0);
void stage_b(uint k0, uint column0);
void store(uint row, uint column, float value);

void gemm(uint rows, uint columns, uint depth) {
  const uint lx = gl_LocalInvocationID.x, ly = gl_LocalInvocationID.y;
  const uint row0 = gl_WorkGroupID.y * BM, column0 = gl_WorkGroupID.x * BN;
  float sum[TM * TN];
  for (uint i = 0; i < TM * TN; ++i) sum[i] = 0.0;
  for (uint k0 = 0; k0 < depth; k0 += BK) {
    stage_a(row0, k0);
    stage_b(k0, column0);
    barrier();
    for (uint k = 0; k < BK; ++k) {
      float a[TM];
      float b[TN];
      for (uint i = 0; i < TM; ++i) a[i] = a_tile[k * BM + ly + GY * i];
      for (uint j = 0; j < TN; ++j) b[j] = b_tile[k * BN + lx + GX * j];
      for (uint i = 0; i < TM; ++i) {
        for (uint j = 0; j < TN; ++j) sum[i * TN + j] += a[i] * b[j];
      }
    }
    barrier();
  }
  for (uint i = 0; i < TM; ++i) {
    for (uint j = 0; j < TN; ++j) {
      const uint row = row0 + ly + GY * i, column = column0 + lx + GX * j;
      if (EVEN || (row < rows && column < columns)) store(row, column, sum[i * TN + j]);
    }
  }
}

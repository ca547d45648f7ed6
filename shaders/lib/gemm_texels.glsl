// C[rows, columns] = Σ_k A(row, k) · B(k, column), summed over k in order: the twin of lib/gemm.glsl for drivers that
// run on the CPU. There each word from a storage buffer or from shared memory costs as much as twenty vector
// additions, because every lane inserts it into a vector in memory, while a texel buffer is gathered in registers. So
// every operand is read as texels of four words, and no shared memory is used.
//
// lavapipe leaves a loop at the loop's end alone, once no lane is in it: where the condition stands at the beginning,
// every loop runs its body once more with no lane alive, so it stands at the end here. That is for loops that all lanes
// leave together: docs/portability.md has what SwiftShader does to the others.
//
// A workgroup of GX × GY invocations makes a tile of GY·TM rows and GX·TN columns; each invocation TM × TN of it, as
// accumulators in registers, from STEP values of k at a time. Tiles may hang over the edge of C: loads are clamped and
// stores are guarded.
//
// The including kernel defines STEP and BLOCK (a multiple of STEP), what is declared below, and a main that calls
// gemm(rows, columns, depth); columns are a multiple of 4, the depth of BLOCK unless loads clamp it.
layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 8;
layout(constant_id = 1) const uint GX = 1;
layout(constant_id = 2) const uint TM = 8;
layout(constant_id = 3) const uint TN = 8;
const uint GY = WORKGROUP / GX;

// a[i * STEP + e] = A(row0 + i, k0 + e) and b[j * STEP + e] = B(k0 + e, column0 + j); any value beyond an edge of C.
float a[TM * STEP];
float b[TN * STEP];
void load_a(uint row0, uint k0);
void load_b(uint k0, uint column0);
// What serves the next BLOCK values of k.
void open_block(uint k0, uint column0);
// Four results of a row.
void store(uint row, uint column, vec4 value);

void gemm(uint rows, uint columns, uint depth) {
  const uint row0 = (gl_WorkGroupID.y * GY + gl_LocalInvocationID.x / GX) * TM;
  const uint column0 = (gl_WorkGroupID.x * GX + gl_LocalInvocationID.x % GX) * TN;
  float sum[TM * TN];
  [[unroll]] for (uint i = 0; i < TM * TN; ++i) sum[i] = 0.0;
  uint k0 = 0;
  for (;;) {
    open_block(k0, column0);
    const uint end = k0 + BLOCK;
    for (;;) {
      load_b(k0, column0);
      load_a(row0, k0);
      [[unroll]] for (uint i = 0; i < TM; ++i) {
        [[unroll]] for (uint j = 0; j < TN; ++j) {
          [[unroll]] for (uint e = 0; e < STEP; ++e) sum[i * TN + j] += a[i * STEP + e] * b[j * STEP + e];
        }
      }
      k0 += STEP;
      if (k0 >= end) break;
    }
    if (k0 >= depth) break;
  }
  [[unroll]] for (uint i = 0; i < TM; ++i) {
    [[unroll]] for (uint j = 0; j < TN; j += 4) {
      if (row0 + i < rows && column0 + j < columns) {
        const uint s = i * TN + j;
        store(row0 + i, column0 + j, vec4(sum[s], sum[s + 1], sum[s + 2], sum[s + 3]));
      }
    }
  }
}

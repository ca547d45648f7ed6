//! variants: OPERAND=f16,bf16
// C = Σ_k (k + rounds · A B), k < 8, [M, N] a subgroup, with A [M, K] and B [K, N] of 16 bits: nothing but products of
// cooperative matrices. Eight independent chains keep the units busy and hide the loop. They begin at different values,
// so that no compiler makes one of them all.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "lib/operand.glsl"
#include "multiply_matrices.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 256;
layout(constant_id = 1) const uint SUBGROUP = 32;
layout(constant_id = 2) const uint M = 16;
layout(constant_id = 3) const uint N = 16;
layout(constant_id = 4) const uint K = 16;
layout(binding = 0) writeonly buffer C { float c[]; };
layout(binding = 1) readonly buffer AB { float ab[]; };
layout(push_constant) uniform Push { MultiplyMatricesArgs args; };

shared OPERAND1 operands[M * K + K * N];

void main() {
  for (uint e = gl_LocalInvocationID.x; e < M * K + K * N; e += WORKGROUP) operands[e] = OPERAND1(ab[e]);
  barrier();
  coopmat<OPERAND1, gl_ScopeSubgroup, M, K, gl_MatrixUseA> a;
  coopmat<OPERAND1, gl_ScopeSubgroup, K, N, gl_MatrixUseB> b;
  coopMatLoad(a, operands, 0, K, gl_CooperativeMatrixLayoutRowMajor);
  coopMatLoad(b, operands, M * K, N, gl_CooperativeMatrixLayoutRowMajor);
  coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator> sum[8];
  [[unroll]] for (uint k = 0; k < 8; ++k) {
    sum[k] = coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>(float(k));
  }
  for (uint round = 0; round < args.rounds; ++round) {
    [[unroll]] for (uint k = 0; k < 8; ++k) sum[k] = coopMatMulAdd(a, b, sum[k]);
  }
  [[unroll]] for (uint k = 1; k < 8; ++k) sum[0] += sum[k];
  const uint subgroup = gl_WorkGroupID.x * (WORKGROUP / SUBGROUP) + gl_SubgroupID;
  coopMatStore(sum[0], c, subgroup * M * N, N, gl_CooperativeMatrixLayoutRowMajor);
}

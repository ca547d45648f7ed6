// dx[t,j] = Σ_i dy[t,i] · w[i,j], or dx += that; rows t, columns j, depth i
#version 460
#extension GL_GOOGLE_include_directive : require
#include "matmul.h"
#include "lib/gemm.glsl"

layout(constant_id = 6) const uint WEIGHT_TYPE = 0;
layout(constant_id = 7) const bool ACCUMULATE = false;
layout(binding = 0) buffer Dx { float dx[]; };
layout(binding = 1) readonly buffer Dy { float dy[]; };
layout(binding = 2) readonly buffer W { uint w[]; };
layout(push_constant) uniform Push { MatmulArgs args; };
#include "lib/weight.glsl"

void stage_a(uint row0, uint k0) {
  for (uint e = gl_LocalInvocationIndex; e < BM * BK; e += WORKGROUP) {
    const uint row = row0 + e / BK, k = k0 + e % BK;
    const bool inside = EVEN || (row < args.tokens && k < args.outputs);
    a_tile[e % BK * BM + e / BK] = inside ? dy[row * args.all_outputs + args.first_output + k] : 0.0;
  }
}

void stage_b(uint k0, uint column0) {
  for (uint e = gl_LocalInvocationIndex; e < BN * BK; e += WORKGROUP) {
    const uint column = column0 + e % BN, k = k0 + e / BN;
    const bool inside = EVEN || (column < args.inputs && k < args.outputs);
    b_tile[e] = inside ? weight_at(k * args.inputs + column) : 0.0;
  }
}

void store(uint row, uint column, float value) {
  const uint index = row * args.inputs + column;
  dx[index] = ACCUMULATE ? dx[index] + value : value;
}

void main() { gemm(args.tokens, args.inputs, args.outputs); }

// dx[t,j] = Σ_i dy[t,i] · w[i,j], or dx += that, w dequantised on the way to shared memory; rows t, columns j, depth i
#version 460
#extension GL_GOOGLE_include_directive : require
#include "quant_matmul.h"
#include "lib/gemm.glsl"

layout(constant_id = 6) const uint BITS = 4;
layout(constant_id = 7) const uint GROUP = 64;
layout(constant_id = 8) const bool ACCUMULATE = false;
layout(binding = 0) buffer Dx { float dx[]; };
layout(binding = 1) readonly buffer Dy { float dy[]; };
layout(binding = 2) readonly buffer Codes { uint codes[]; };
layout(binding = 3) readonly buffer Grid { uint grid[]; };
layout(push_constant) uniform Push { QuantMatmulArgs args; };
#include "lib/quantized.glsl"

void stage_a(uint row0, uint k0) {
  for (uint e = gl_LocalInvocationIndex; e < BM * BK; e += WORKGROUP) {
    const uint row = row0 + e / BK, k = k0 + e % BK;
    const bool inside = EVEN || (row < args.tokens && k < args.outputs);
    a_tile[e % BK * BM + e / BK] = inside ? dy[row * args.outputs + k] : 0.0;
  }
}

void stage_b(uint k0, uint column0) {
  for (uint e = gl_LocalInvocationIndex; e < BN * BK / 8; e += WORKGROUP) {
    const uint column = e % (BN / 8) * 8, k = e / (BN / 8);
    float w[8] = float[8](0, 0, 0, 0, 0, 0, 0, 0);
    if (EVEN || (column0 + column < args.inputs && k0 + k < args.outputs)) {
      dequantise8(k0 + k, args.words_per_row, column0 + column, args.inputs, w);
    }
    for (uint i = 0; i < 8; ++i) b_tile[k * BN + column + i] = w[i];
  }
}

void store(uint row, uint column, float value) {
  const uint index = row * args.inputs + column;
  dx[index] = ACCUMULATE ? dx[index] + value : value;
}

void main() { gemm(args.tokens, args.inputs, args.outputs); }

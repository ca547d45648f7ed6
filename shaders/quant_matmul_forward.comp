// y[t,i] = Σ_j x[t,j] · w[i,j] (+ bias[i]), w dequantised on the way to shared memory; rows t, columns i, depth j
#version 460
#extension GL_GOOGLE_include_directive : require
#include "quant_matmul.h"
#include "lib/gemm.glsl"

layout(constant_id = 6) const uint BITS = 4;
layout(constant_id = 7) const uint GROUP = 64;
layout(constant_id = 8) const bool BIAS = false;
layout(binding = 0) writeonly buffer Y { float y[]; };
layout(binding = 1) readonly buffer X { float x[]; };
layout(binding = 2) readonly buffer Codes { uint codes[]; };
layout(binding = 3) readonly buffer Grid { uint grid[]; };
layout(binding = 4) readonly buffer Bias { float bias[]; };
layout(push_constant) uniform Push { QuantMatmulArgs args; };
#include "lib/quantized.glsl"

void stage_a(uint row0, uint k0) {
  for (uint e = gl_LocalInvocationIndex; e < BM * BK; e += WORKGROUP) {
    const uint row = row0 + e / BK, k = k0 + e % BK;
    const bool inside = EVEN || (row < args.tokens && k < args.inputs);
    a_tile[e % BK * BM + e / BK] = inside ? x[row * args.inputs + k] : 0.0;
  }
}

void stage_b(uint k0, uint column0) {
  for (uint e = gl_LocalInvocationIndex; e < BN * BK / 8; e += WORKGROUP) {
    const uint column = e / (BK / 8), k = e % (BK / 8) * 8;
    float w[8] = float[8](0, 0, 0, 0, 0, 0, 0, 0);
    if (EVEN || (column0 + column < args.outputs && k0 + k < args.inputs)) {
      dequantise8(column0 + column, args.words_per_row, k0 + k, args.inputs, w);
    }
    for (uint i = 0; i < 8; ++i) b_tile[(k + i) * BN + column] = w[i];
  }
}

void store(uint row, uint column, float value) {
  y[row * args.outputs + column] = BIAS ? value + bias[column] : value;
}

void main() { gemm(args.tokens, args.outputs, args.inputs); }

// y[t,i] = Σ_j x[t,j] · w[i,j] (+ bias[i]); rows t, columns i, depth j
#version 460
#extension GL_GOOGLE_include_directive : require
#include "matmul.h"
#include "lib/gemm.glsl"

layout(constant_id = 6) const uint WEIGHT_TYPE = 0;
layout(constant_id = 7) const bool BIAS = false;
layout(binding = 0) writeonly buffer Y { float y[]; };
layout(binding = 1) readonly buffer X { float x[]; };
layout(binding = 2) readonly buffer W { uint w[]; };
layout(binding = 3) readonly buffer Bias { float bias[]; };
layout(push_constant) uniform Push { MatmulArgs args; };
#include "lib/weight.glsl"

void stage_a(uint row0, uint k0) {
  for (uint e = gl_LocalInvocationIndex; e < BM * BK; e += WORKGROUP) {
    const uint row = row0 + e / BK, k = k0 + e % BK;
    const bool inside = EVEN || (row < args.tokens && k < args.inputs);
    a_tile[e % BK * BM + e / BK] = inside ? x[row * args.inputs + k] : 0.0;
  }
}

void stage_b(uint k0, uint column0) {
  for (uint e = gl_LocalInvocationIndex; e < BN * BK; e += WORKGROUP) {
    const uint column = column0 + e / BK, k = k0 + e % BK;
    const bool inside = EVEN || (column < args.outputs && k < args.inputs);
    b_tile[e % BK * BN + e / BK] = inside ? weight_at(column * args.inputs + k) : 0.0;
  }
}

void store(uint row, uint column, float value) {
  const uint output_index = args.first_output + column;
  y[row * args.all_outputs + output_index] = BIAS ? value + bias[output_index] : value;
}

void main() { gemm(args.tokens, args.outputs, args.inputs); }

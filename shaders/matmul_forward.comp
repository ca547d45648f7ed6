// y[t,i] = Σ_j x[t,j] · w[i,j] (+ bias[i]); rows t, columns i, depth j
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#include "matmul.h"
#include "lib/gemm.glsl"

layout(constant_id = 6) const uint WEIGHT_TYPE = 0;
layout(binding = 0) writeonly buffer Y { float y[]; };
layout(binding = 1) readonly buffer X { float x[]; };
layout(binding = 2) readonly buffer W { uint w[]; };
layout(binding = 3) readonly buffer Bias { float bias[]; };
layout(push_constant) uniform Push { MatmulArgs args; };
#include "lib/weight.glsl"

void stage_a(uint row0, uint k0) {
  for (uint e = gl_LocalInvocationID.x; e < BM * BK; e += WORKGROUP) {
    const uint row = row0 + e / BK, k = k0 + e % BK;
    const bool inside = EVEN || (row < args.tokens && k < args.inputs);
    a_tile[e % BK * BM + e / BK] = inside ? x[row * args.inputs + k] : 0.0;
  }
}

void stage_b(uint k0, uint column0) {
  for (uint e = gl_LocalInvocationID.x; e < BN * BK; e += WORKGROUP) {
    const uint column = column0 + e / BK, k = k0 + e % BK;
    const bool inside = EVEN || (column < args.outputs && k < args.inputs);
    b_tile[e % BK * BN + e / BK] = inside ? weight_at(column * args.inputs + k) : 0.0;
  }
}

void load_a(uint row, uint k0, out float a[8]) {
  [[unroll]] for (uint e = 0; e < 8; ++e) {
    a[e] = EVEN || k0 + e < args.inputs ? x[row * args.inputs + k0 + e] : 0.0;
  }
}

void load_b(uint k0, uint column0) {
  [[unroll]] for (uint j = 0; j < TN; ++j) {
    float run[8];
    weights8(min(column0 + j, args.outputs - 1) * args.inputs + k0, min(args.inputs - k0, 8), run);
    [[unroll]] for (uint e = 0; e < 8; ++e) b[8 * j + e] = run[e];
  }
}

void store(uint row, uint column, float value) {
  const uint output_index = args.first_output + column;
  y[row * args.all_outputs + output_index] = args.extra != 0 ? value + bias[output_index] : value;
}

void main() { gemm(args.tokens, args.outputs, args.inputs); }

// dw[i,j] += Σ_t dy[t,i] · x[t,j]; rows i, columns j, depth t
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#include "matmul.h"
#include "lib/gemm.glsl"

layout(binding = 0) buffer Dw { float dw[]; };
layout(binding = 1) readonly buffer Dy { float dy[]; };
layout(binding = 2) readonly buffer X { float x[]; };
layout(push_constant) uniform Push { MatmulArgs args; };

void stage_a(uint row0, uint k0) {
  for (uint e = gl_LocalInvocationID.x; e < BM * BK; e += WORKGROUP) {
    const uint row = row0 + e % BM, k = k0 + e / BM;
    const bool inside = EVEN || (row < args.outputs && k < args.tokens);
    a_tile[e] = inside ? dy[k * args.all_outputs + args.first_output + row] : 0.0;
  }
}

void stage_b(uint k0, uint column0) {
  for (uint e = gl_LocalInvocationID.x; e < BN * BK; e += WORKGROUP) {
    const uint column = column0 + e % BN, k = k0 + e / BN;
    const bool inside = EVEN || (column < args.inputs && k < args.tokens);
    b_tile[e] = inside ? x[k * args.inputs + column] : 0.0;
  }
}

void load_a(uint row, uint k0, out float a[8]) {
  [[unroll]] for (uint e = 0; e < 8; ++e) {
    a[e] = EVEN || k0 + e < args.tokens ? dy[(k0 + e) * args.all_outputs + args.first_output + row] : 0.0;
  }
}

void load_b(uint k0, uint column0) {
  [[unroll]] for (uint e = 0; e < 8; ++e) {
    [[unroll]] for (uint j = 0; j < TN; ++j) {
      const bool inside = EVEN || (k0 + e < args.tokens && column0 + j < args.inputs);
      b[8 * j + e] = inside ? x[(k0 + e) * args.inputs + column0 + j] : 0.0;
    }
  }
}

void store(uint row, uint column, float value) { dw[row * args.inputs + column] += value; }

void main() { gemm(args.outputs, args.inputs, args.tokens); }

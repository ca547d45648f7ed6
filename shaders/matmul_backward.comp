// dx[t,j] = Σ_i dy[t,i] · w[i,j], or dx += that; rows t, columns j, depth i
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#include "matmul.h"
#include "lib/gemm.glsl"

layout(constant_id = 6) const uint WEIGHT_TYPE = 0;
layout(binding = 0) buffer Dx { float dx[]; };
layout(binding = 1) readonly buffer Dy { float dy[]; };
layout(binding = 2) readonly buffer W { uint w[]; };
layout(push_constant) uniform Push { MatmulArgs args; };
#include "lib/weight.glsl"

void stage_a(uint row0, uint k0) {
  for (uint e = gl_LocalInvocationID.x; e < BM * BK; e += WORKGROUP) {
    const uint row = row0 + e / BK, k = k0 + e % BK;
    const bool inside = EVEN || (row < args.tokens && k < args.outputs);
    a_tile[e % BK * BM + e / BK] = inside ? dy[row * args.all_outputs + args.first_output + k] : 0.0;
  }
}

void stage_b(uint k0, uint column0) {
  for (uint e = gl_LocalInvocationID.x; e < BN * BK; e += WORKGROUP) {
    const uint column = column0 + e % BN, k = k0 + e / BN;
    const bool inside = EVEN || (column < args.inputs && k < args.outputs);
    b_tile[e] = inside ? weight_at(k * args.inputs + column) : 0.0;
  }
}

void load_a(uint row, uint k0, out float a[8]) {
  [[unroll]] for (uint e = 0; e < 8; ++e) {
    a[e] = EVEN || k0 + e < args.outputs ? dy[row * args.all_outputs + args.first_output + k0 + e] : 0.0;
  }
}

void load_b(uint k0, uint column0) {
  [[unroll]] for (uint e = 0; e < 8; ++e) {
    [[unroll]] for (uint j = 0; j < TN; j += 8) {
      float run[8] = float[8](0, 0, 0, 0, 0, 0, 0, 0);
      if (EVEN || (k0 + e < args.outputs && column0 + j < args.inputs)) {
        weights8((k0 + e) * args.inputs + column0 + j, min(args.inputs - column0 - j, 8), run);
      }
      [[unroll]] for (uint c = 0; c < 8; ++c) b[8 * (j + c) + e] = run[c];
    }
  }
}

void store(uint row, uint column, float value) {
  const uint index = row * args.inputs + column;
  dx[index] = args.extra != 0 ? dx[index] + value : value;
}

void main() { gemm(args.tokens, args.inputs, args.outputs); }

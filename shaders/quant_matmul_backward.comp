// dx[t,j] = Σ_i dy[t,i] · w[i,j] over all parts, or dx += that, w dequantised on the way to shared memory; rows t,
// columns j, depth i
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#include "quant_matmul.h"
#include "lib/gemm.glsl"

layout(constant_id = 6) const uint BITS = 4;
layout(constant_id = 7) const bool RUNS = true;
layout(constant_id = 8) const bool OFFSET = false;
layout(binding = 0) buffer Dx { float dx[]; };
layout(binding = 1) readonly buffer Dy { float dy[]; };
layout(binding = 2) readonly buffer Codes { uint codes[]; };
layout(binding = 3) readonly buffer Grid { uint grid[]; };
layout(push_constant) uniform Push { QuantMatmulArgs args; };
#define PART product
#include "lib/quantized.glsl"

void stage_a(uint row0, uint k0) {
  for (uint e = gl_LocalInvocationID.x; e < BM * BK; e += WORKGROUP) {
    const uint row = row0 + e / BK, k = k0 + e % BK;
    const bool inside = EVEN || (row < args.tokens && k < args.outputs[PART]);
    a_tile[e % BK * BM + e / BK] = inside ? dy[args.y_at[PART] + row * args.outputs[PART] + k] : 0.0;
  }
}

void stage_b(uint k0, uint column0) {
  for (uint e = gl_LocalInvocationID.x; e < BN * BK / 8; e += WORKGROUP) {
    const uint column = e % (BN / 8) * 8, k = e / (BN / 8);
    float w[8] = float[8](0, 0, 0, 0, 0, 0, 0, 0);
    if (EVEN || (column0 + column < args.inputs && k0 + k < args.outputs[PART])) {
      const uint of_group = RUNS ? grid_word(k0 + k, column0 + column) : 0;
      dequantise8(k0 + k, column0 + column, of_group, w);
    }
    for (uint i = 0; i < 8; ++i) b_tile[k * BN + column + i] = w[i];
  }
}

void load_a(uint row, uint k0, out float a[8]) {
  [[unroll]] for (uint e = 0; e < 8; ++e) {
    a[e] = EVEN || k0 + e < args.outputs[PART] ? dy[args.y_at[PART] + row * args.outputs[PART] + k0 + e] : 0.0;
  }
}

void load_b(uint k0, uint column0) {
  [[unroll]] for (uint e = 0; e < 8; ++e) {
    uint of_group = 0;
    [[unroll]] for (uint j = 0; j < TN; j += 8) {
      const uint row = k0 + e, first = column0 + j;
      float run[8] = float[8](0, 0, 0, 0, 0, 0, 0, 0);
      if (EVEN || (row < args.outputs[PART] && first < args.inputs)) {
        if (RUNS && (j == 0 || first % args.group_size == 0)) of_group = grid_word(row, first);
        dequantise8(row, first, of_group, run);
      }
      [[unroll]] for (uint c = 0; c < 8; ++c) b[8 * (j + c) + e] = run[c];
    }
  }
}

void store(uint row, uint column, float value) {
  const uint index = row * args.inputs + column;
  dx[index] = args.extra != 0 ? dx[index] + value : value;
}

void main() {
  gemm(args.tokens, args.inputs, uvec3(args.outputs[0], args.outputs[1], args.outputs[2]), args.parts);
}

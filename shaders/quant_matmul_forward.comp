// Of every part: y[t,i] = Σ_j x[t,j] · w[i,j] (+ bias[i]), w dequantised on the way to shared memory; rows t,
// columns i, depth j
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#include "quant_matmul.h"
#include "lib/gemm.glsl"

layout(constant_id = 6) const uint BITS = 4;
layout(constant_id = 7) const bool RUNS = true;
layout(constant_id = 8) const bool OFFSET = false;
layout(binding = 0) writeonly buffer Y { float y[]; };
layout(binding = 1) readonly buffer X { float x[]; };
layout(binding = 2) readonly buffer Codes { uint codes[]; };
layout(binding = 3) readonly buffer Grid { uint grid[]; };
layout(binding = 4) readonly buffer Bias { float bias[]; };
layout(push_constant) uniform Push { QuantMatmulArgs args; };
#define PART gl_WorkGroupID.z
#include "lib/quantized.glsl"

void stage_a(uint row0, uint k0) {
  for (uint e = gl_LocalInvocationID.x; e < BM * BK; e += WORKGROUP) {
    const uint row = row0 + e / BK, k = k0 + e % BK;
    const bool inside = EVEN || (row < args.tokens && k < args.inputs);
    a_tile[e % BK * BM + e / BK] = inside ? x[row * args.inputs + k] : 0.0;
  }
}

void stage_b(uint k0, uint column0) {
  for (uint e = gl_LocalInvocationID.x; e < BN * BK / 8; e += WORKGROUP) {
    const uint column = e / (BK / 8), k = e % (BK / 8) * 8;
    float w[8] = float[8](0, 0, 0, 0, 0, 0, 0, 0);
    if (EVEN || (column0 + column < args.outputs[PART] && k0 + k < args.inputs)) {
      const uint of_group = RUNS ? grid_word(column0 + column, k0 + k) : 0;
      dequantise8(column0 + column, k0 + k, of_group, w);
    }
    for (uint i = 0; i < 8; ++i) b_tile[(k + i) * BN + column] = w[i];
  }
}

void load_a(uint row, uint k0, out float a[8]) {
  [[unroll]] for (uint e = 0; e < 8; ++e) {
    a[e] = EVEN || k0 + e < args.inputs ? x[row * args.inputs + k0 + e] : 0.0;
  }
}

// The grid of the invocation's columns, fetched anew where a group begins.
uint grid_words[TN];

void load_b(uint k0, uint column0) {
  if (RUNS && k0 % args.group_size == 0) {
    [[unroll]] for (uint j = 0; j < TN; ++j) {
      grid_words[j] = grid_word(min(column0 + j, args.outputs[PART] - 1), k0);
    }
  }
  [[unroll]] for (uint j = 0; j < TN; ++j) {
    float run[8];
    dequantise8(min(column0 + j, args.outputs[PART] - 1), k0, grid_words[j], run);
    [[unroll]] for (uint e = 0; e < 8; ++e) b[8 * j + e] = run[e];
  }
}

void store(uint row, uint column, float value) {
  const uint at = args.y_at[PART] + row * args.outputs[PART] + column;
  y[at] = args.extra != 0 ? value + bias[args.bias_at[PART] + column] : value;
}

void main() {
  if (gl_WorkGroupID.x * BN < args.outputs[PART]) gemm(args.tokens, args.outputs[PART], args.inputs);
}

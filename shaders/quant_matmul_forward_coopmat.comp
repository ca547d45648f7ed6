//! variants: OPERAND=f16,bf16
// Of every part: y[t,i] = Σ_j x[t,j] · w[i,j] (+ bias[i]), w dequantised on the way to shared memory, operands rounded to
// 16 bits; rows t, columns i, depth j
#version 460
#extension GL_GOOGLE_include_directive : require
#define A_ALONG_K 1
#define B_ALONG_K 1
#include "lib/gemm_coopmat.glsl"
#include "quant_matmul.h"

layout(constant_id = 10) const uint BITS = 4;
layout(constant_id = 11) const bool RUNS = true;
layout(constant_id = 12) const bool OFFSET = false;
layout(binding = 0) writeonly buffer Y { float y[]; };
layout(binding = 1) readonly buffer X { float x[]; };
layout(binding = 1) readonly buffer X4 { vec4 x4[]; };
layout(binding = 2) readonly buffer Codes { uint codes[]; };
layout(binding = 3) readonly buffer Grid { uint grid[]; };
layout(binding = 4) readonly buffer Bias { float bias[]; };
layout(push_constant) uniform Push { QuantMatmulArgs args; };
#define PART gl_WorkGroupID.z
#include "lib/quantized_coopmat.glsl"

void a_run(uint row, uint k, out vec4 low, out vec4 high) {
  READ_RUN(x, x4, row < args.tokens, k, args.inputs, row * args.inputs + k, low, high)
}

void b_run(uint column, uint k, out vec4 low, out vec4 high) { weight_run(column, k, low, high); }

void store(uint row, uint column, float value) {
  const uint at = args.y_at[PART] + row * args.outputs[PART] + column;
  y[at] = args.extra != 0 ? value + bias[args.bias_at[PART] + column] : value;
}

void main() {
  if (gl_WorkGroupID.x * BN < args.outputs[PART]) gemm(args.tokens, args.outputs[PART], args.inputs);
}

//! variants: OPERAND=f16,bf16
// y[t,i] = Σ_j x[t,j] · w[i,j] (+ bias[i]), operands rounded to 16 bits; rows t, columns i, depth j
#version 460
#extension GL_GOOGLE_include_directive : require
#define A_ALONG_K 1
#define B_ALONG_K 1
#include "lib/gemm_coopmat.glsl"
#include "matmul.h"

layout(constant_id = 10) const uint WEIGHT_TYPE = 0;
layout(binding = 0) writeonly buffer Y { float y[]; };
layout(binding = 1) readonly buffer X { float x[]; };
layout(binding = 1) readonly buffer X4 { vec4 x4[]; };
layout(binding = 2) readonly buffer W { uint w[]; };
layout(binding = 2) readonly buffer W4 { uvec4 w4[]; };
layout(binding = 3) readonly buffer Bias { float bias[]; };
layout(push_constant) uniform Push { MatmulArgs args; };
#include "lib/weight_coopmat.glsl"

void a_run(uint row, uint k, out vec4 low, out vec4 high) {
  READ_RUN(x, x4, row < args.tokens, k, args.inputs, row * args.inputs + k, low, high)
}

void b_run(uint column, uint k, out vec4 low, out vec4 high) { weight_run(column, k, low, high); }

void store(uint row, uint column, float value) {
  const uint output_index = args.first_output + column;
  y[row * args.all_outputs + output_index] = args.extra != 0 ? value + bias[output_index] : value;
}

void main() { gemm(args.tokens, args.outputs, args.inputs); }

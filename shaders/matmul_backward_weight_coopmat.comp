//! variants: OPERAND=f16,bf16
// dw[i,j] += Σ_t dy[t,i] · x[t,j], operands rounded to 16 bits; rows i, columns j, depth t
#version 460
#extension GL_GOOGLE_include_directive : require
#define A_ALONG_K 0
#define B_ALONG_K 0
#include "lib/gemm_coopmat.glsl"
#include "matmul.h"

layout(binding = 0) buffer Dw { float dw[]; };
layout(binding = 1) readonly buffer Dy { float dy[]; };
layout(binding = 1) readonly buffer Dy4 { vec4 dy4[]; };
layout(binding = 2) readonly buffer X { float x[]; };
layout(binding = 2) readonly buffer X4 { vec4 x4[]; };
layout(push_constant) uniform Push { MatmulArgs args; };

void a_run(uint k, uint row, out vec4 low, out vec4 high) {
  READ_RUN(dy, dy4, k < args.tokens, row, args.outputs, k * args.all_outputs + args.first_output + row, low, high)
}

void b_run(uint k, uint column, out vec4 low, out vec4 high) {
  READ_RUN(x, x4, k < args.tokens, column, args.inputs, k * args.inputs + column, low, high)
}

void store(uint row, uint column, float value) { dw[row * args.inputs + column] += value; }

void main() { gemm(args.outputs, args.inputs, args.tokens); }

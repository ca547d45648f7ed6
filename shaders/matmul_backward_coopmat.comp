//! variants: OPERAND=f16,bf16
// dx[t,j] = Σ_i dy[t,i] · w[i,j], or dx += that, operands rounded to 16 bits; rows t, columns j, depth i
#version 460
#extension GL_GOOGLE_include_directive : require
#define A_ALONG_K 1
#define B_ALONG_K 0
#include "lib/gemm_coopmat.glsl"
#include "matmul.h"

layout(constant_id = 10) const uint WEIGHT_TYPE = 0;
layout(binding = 0) buffer Dx { float dx[]; };
layout(binding = 1) readonly buffer Dy { float dy[]; };
layout(binding = 1) readonly buffer Dy4 { vec4 dy4[]; };
layout(binding = 2) readonly buffer W { uint w[]; };
layout(binding = 2) readonly buffer W4 { uvec4 w4[]; };
layout(push_constant) uniform Push { MatmulArgs args; };
#include "lib/weight_coopmat.glsl"

void a_run(uint row, uint k, out vec4 low, out vec4 high) {
  READ_RUN(dy, dy4, row < args.tokens, k, args.outputs, row * args.all_outputs + args.first_output + k, low, high)
}

void b_run(uint k, uint column, out vec4 low, out vec4 high) { weight_run(k, column, low, high); }

void store(uint row, uint column, float value) {
  const uint index = row * args.inputs + column;
  dx[index] = args.extra != 0 ? dx[index] + value : value;
}

void main() { gemm(args.tokens, args.inputs, args.outputs); }

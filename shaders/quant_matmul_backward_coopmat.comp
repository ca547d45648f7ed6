//! variants: OPERAND=f16,bf16
// dx[t,j] = Σ_i dy[t,i] · w[i,j] over all parts, or dx += that, w dequantised on the way to shared memory, operands rounded to 16 bits;
// rows t, columns j, depth i
#version 460
#extension GL_GOOGLE_include_directive : require
#define A_ALONG_K 1
#define B_ALONG_K 0
#include "lib/gemm_coopmat.glsl"
#include "quant_matmul.h"

layout(constant_id = 10) const uint BITS = 4;
layout(constant_id = 11) const bool RUNS = true;
layout(constant_id = 12) const bool OFFSET = false;
layout(binding = 0) buffer Dx { float dx[]; };
layout(binding = 1) readonly buffer Dy { float dy[]; };
layout(binding = 1) readonly buffer Dy4 { vec4 dy4[]; };
layout(binding = 2) readonly buffer Codes { uint codes[]; };
layout(binding = 3) readonly buffer Grid { uint grid[]; };
layout(push_constant) uniform Push { QuantMatmulArgs args; };
#define PART product
#include "lib/quantized_coopmat.glsl"

void a_run(uint row, uint k, out vec4 low, out vec4 high) {
  READ_RUN(dy, dy4, row < args.tokens, k, args.outputs[PART], args.y_at[PART] + row * args.outputs[PART] + k, low, high)
}

void b_run(uint k, uint column, out vec4 low, out vec4 high) { weight_run(k, column, low, high); }

void store(uint row, uint column, float value) {
  const uint index = row * args.inputs + column;
  dx[index] = args.extra != 0 ? dx[index] + value : value;
}

void main() {
  gemm(args.tokens, args.inputs, uvec3(args.outputs[0], args.outputs[1], args.outputs[2]), args.parts);
}

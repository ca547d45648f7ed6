// y[t,i] = Σ_j x[t,j] · w[i,j] (+ bias[i]); rows t, columns i, depth j
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_samplerless_texture_functions : require
#extension GL_GOOGLE_include_directive : require
#include "matmul.h"
#define STEP 8
#define BLOCK 8
#include "lib/gemm_texels.glsl"

layout(constant_id = 4) const uint WEIGHT_TYPE = 0;
layout(binding = 0) writeonly buffer Y { vec4 y[]; };
layout(binding = 1) uniform textureBuffer x;
layout(binding = 2) uniform utextureBuffer w;
layout(binding = 3) readonly buffer Bias { vec4 bias[]; };
layout(push_constant) uniform Push { MatmulArgs args; };
#include "lib/weight_texels.glsl"

void open_block(uint k0, uint column0) {}

void load_a(uint row0, uint k0) {
  [[unroll]] for (uint i = 0; i < TM; ++i) {
    const uint first = min(row0 + i, args.tokens - 1) * args.inputs + k0;
    [[unroll]] for (uint e = 0; e < STEP; e += 4) {
      const vec4 four = texelFetch(x, int((first + e) / 4));
      [[unroll]] for (uint f = 0; f < 4; ++f) a[i * STEP + e + f] = four[f];
    }
  }
}

void load_b(uint k0, uint column0) {
  [[unroll]] for (uint j = 0; j < TN; ++j) {
    float run[8];
    weights8(min(column0 + j, args.outputs - 1) * args.inputs + k0, run);
    [[unroll]] for (uint e = 0; e < STEP; ++e) b[j * STEP + e] = run[e];
  }
}

void store(uint row, uint column, vec4 value) {
  const uint output_index = args.first_output + column;
  y[(row * args.all_outputs + output_index) / 4] = args.extra != 0 ? value + bias[output_index / 4] : value;
}

void main() { gemm(args.tokens, args.outputs, args.inputs); }

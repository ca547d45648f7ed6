// dx[t,j] = Σ_i dy[t,i] · w[i,j], or dx += that; rows t, columns j, depth i
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_samplerless_texture_functions : require
#extension GL_GOOGLE_include_directive : require
#include "matmul.h"
#define STEP 4
#define BLOCK 4
#include "lib/gemm_texels.glsl"

layout(constant_id = 4) const uint WEIGHT_TYPE = 0;
layout(binding = 0) buffer Dx { vec4 dx[]; };
layout(binding = 1) uniform textureBuffer dy;
layout(binding = 2) uniform utextureBuffer w;
layout(push_constant) uniform Push { MatmulArgs args; };
#include "lib/weight_texels.glsl"

void open_block(uint k0, uint column0) {}

void load_a(uint row0, uint k0) {
  [[unroll]] for (uint i = 0; i < TM; ++i) {
    const uint index = min(row0 + i, args.tokens - 1) * args.all_outputs + args.first_output + k0;
    const vec4 four = texelFetch(dy, int(index / 4));
    [[unroll]] for (uint f = 0; f < 4; ++f) a[i * STEP + f] = four[f];
  }
}

void load_b(uint k0, uint column0) {
  [[unroll]] for (uint e = 0; e < STEP; ++e) {
    [[unroll]] for (uint j = 0; j < TN; j += 8) {
      float run[8];
      weights8((k0 + e) * args.inputs + min(column0 + j, args.inputs - 8), run);
      [[unroll]] for (uint c = 0; c < 8; ++c) b[(j + c) * STEP + e] = run[c];
    }
  }
}

void store(uint row, uint column, vec4 value) {
  const uint index = (row * args.inputs + column) / 4;
  dx[index] = args.extra != 0 ? dx[index] + value : value;
}

void main() { gemm(args.tokens, args.inputs, args.outputs); }

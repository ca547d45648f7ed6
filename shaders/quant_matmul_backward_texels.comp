// dx[t,j] = Σ_i dy[t,i] · w[i,j], or dx += that, w dequantised in registers; rows t, columns j, depth i.
// An invocation has 32 columns: the codes of one fetch.
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_samplerless_texture_functions : require
#extension GL_GOOGLE_include_directive : require
#include "quant_matmul.h"
#define STEP 8
#define BLOCK 8
#include "lib/gemm_texels.glsl"

layout(constant_id = 4) const uint BITS = 4;
layout(constant_id = 5) const bool OFFSET = false;
layout(binding = 0) buffer Dx { vec4 dx[]; };
layout(binding = 1) uniform textureBuffer dy;
layout(binding = 2) uniform utextureBuffer codes;
layout(binding = 3) uniform utextureBuffer grid;
layout(push_constant) uniform Push { QuantMatmulArgs args; };
#include "lib/quantized_texels.glsl"

void load_a(uint row0, uint k0) {
  [[unroll]] for (uint i = 0; i < TM; ++i) {
    const uint first = (min(row0 + i, args.tokens - 1) * args.outputs[0] + k0) / 4;
    [[unroll]] for (uint e = 0; e < STEP; e += 4) {
      const vec4 four = texelFetch(dy, int(first + e / 4));
      [[unroll]] for (uint f = 0; f < 4; ++f) a[i * STEP + e + f] = four[f];
    }
  }
}

void open_block(uint k0, uint column0) {}

void load_b(uint k0, uint column0) {
  const uint first = min(column0, args.inputs - 32);
  [[unroll]] for (uint e = 0; e < STEP; ++e) {
    const uint of_group = grid_word(k0 + e, first);
    const float scale = unpackHalf2x16(of_group).x, zero = zero_of(of_group);
    uint words[BITS];
    codes32(k0 + e, first, words);
    [[unroll]] for (uint j = 0; j < TN; ++j) b[j * STEP + e] = weight32(words, j, scale, zero);
  }
}

void store(uint row, uint column, vec4 value) {
  const uint index = (row * args.inputs + column) / 4;
  dx[index] = args.extra != 0 ? dx[index] + value : value;
}

void main() { gemm(args.tokens, args.inputs, args.outputs[0]); }

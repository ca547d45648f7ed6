// y[t,i] = Σ_j x[t,j] · w[i,j] (+ bias[i]), w dequantised in registers; rows t, columns i, depth j
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_samplerless_texture_functions : require
#extension GL_GOOGLE_include_directive : require
#include "quant_matmul.h"
#define STEP 8
#define BLOCK 32
#include "lib/gemm_texels.glsl"

layout(constant_id = 4) const uint BITS = 4;
layout(constant_id = 5) const bool OFFSET = false;
layout(binding = 0) writeonly buffer Y { vec4 y[]; };
layout(binding = 1) uniform textureBuffer x;
layout(binding = 2) uniform utextureBuffer codes;
layout(binding = 3) uniform utextureBuffer grid;
layout(binding = 4) readonly buffer Bias { vec4 bias[]; };
layout(push_constant) uniform Push { QuantMatmulArgs args; };
#include "lib/quantized_texels.glsl"

void load_a(uint row0, uint k0) {
  [[unroll]] for (uint i = 0; i < TM; ++i) {
    const uint first = min(row0 + i, args.tokens - 1) * args.inputs + k0;
    [[unroll]] for (uint e = 0; e < STEP; e += 4) {
      const vec4 four = texelFetch(x, int((first + e) / 4));
      [[unroll]] for (uint f = 0; f < 4; ++f) a[i * STEP + e + f] = four[f];
    }
  }
}

// The next codes of each of the invocation's columns, and their groups' scale and zero.
uint block_words[TN * BITS];
float scales[TN], zeros[TN];

void open_block(uint k0, uint column0) {
  [[unroll]] for (uint j = 0; j < TN; ++j) {
    const uint row = min(column0 + j, args.outputs[0] - 1);
    uint words[BITS];
    codes32(row, k0, words);
    [[unroll]] for (uint i = 0; i < BITS; ++i) block_words[j * BITS + i] = words[i];
    const uint of_group = grid_word(row, k0);
    scales[j] = unpackHalf2x16(of_group).x;
    zeros[j] = zero_of(of_group);
  }
}

// Uses eight codes: 8 · BITS bits, and moves the rest down.
void load_b(uint k0, uint column0) {
  [[unroll]] for (uint j = 0; j < TN; ++j) {
    uint words[BITS];
    [[unroll]] for (uint i = 0; i < BITS; ++i) words[i] = block_words[j * BITS + i];
    [[unroll]] for (uint e = 0; e < STEP; ++e) b[j * STEP + e] = weight32(words, e, scales[j], zeros[j]);
    const uint skip = 8 * BITS / 32, shift = 8 * BITS % 32;
    [[unroll]] for (uint i = 0; i < BITS; ++i) {
      const uint low = i + skip < BITS ? words[(i + skip) % BITS] : 0u;
      const uint high = i + skip + 1 < BITS ? words[(i + skip + 1) % BITS] : 0u;
      block_words[j * BITS + i] = shift == 0 ? low : (low >> shift) | (high << (32 - shift));
    }
  }
}

void store(uint row, uint column, vec4 value) {
  y[(row * args.outputs[0] + column) / 4] = args.extra != 0 ? value + bias[column / 4] : value;
}

void main() { gemm(args.tokens, args.outputs[0], args.inputs); }

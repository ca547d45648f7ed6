// dw[i,j] += Σ_t dy[t,i] · x[t,j]; rows i, columns j, depth t. TM and TN are multiples of 4.
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_samplerless_texture_functions : require
#extension GL_GOOGLE_include_directive : require
#include "matmul.h"
#define STEP 4
#define BLOCK 4
#include "lib/gemm_texels.glsl"

layout(binding = 0) buffer Dw { vec4 dw[]; };
layout(binding = 1) uniform textureBuffer dy;
layout(binding = 2) uniform textureBuffer x;
layout(push_constant) uniform Push { MatmulArgs args; };

void open_block(uint k0, uint column0) {}

// The last block may hang over the last token: what is there counts 0.
void load_a(uint row0, uint k0) {
  [[unroll]] for (uint e = 0; e < STEP; ++e) {
    const uint first = min(k0 + e, args.tokens - 1) * args.all_outputs + args.first_output;
    [[unroll]] for (uint i = 0; i < TM; i += 4) {
      const vec4 four = texelFetch(dy, int((first + min(row0 + i, args.outputs - 4)) / 4));
      [[unroll]] for (uint f = 0; f < 4; ++f) a[(i + f) % TM * STEP + e] = k0 + e < args.tokens ? four[f] : 0.0;
    }
  }
}

void load_b(uint k0, uint column0) {
  [[unroll]] for (uint e = 0; e < STEP; ++e) {
    const uint first = min(k0 + e, args.tokens - 1) * args.inputs;
    [[unroll]] for (uint j = 0; j < TN; j += 4) {
      const vec4 four = texelFetch(x, int((first + min(column0 + j, args.inputs - 4)) / 4));
      [[unroll]] for (uint f = 0; f < 4; ++f) b[(j + f) * STEP + e] = k0 + e < args.tokens ? four[f] : 0.0;
    }
  }
}

void store(uint row, uint column, vec4 value) { dw[(row * args.inputs + column) / 4] += value; }

void main() { gemm(args.outputs, args.inputs, args.tokens); }

// w[i,j] = scale · (code[i,j] − zero): eight columns an invocation, one row of the matrix after another
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#include "quant_matmul.h"
#include "lib/index.glsl"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint BITS = 4;
layout(constant_id = 1) const bool RUNS = true;
layout(constant_id = 2) const bool OFFSET = false;
layout(binding = 0) writeonly buffer Dense { float dense[]; };
layout(binding = 1) readonly buffer Codes { uint codes[]; };
layout(binding = 2) readonly buffer Grid { uint grid[]; };
layout(push_constant) uniform Push { QuantMatmulArgs args; };
#define PART 0
#include "lib/quantized.glsl"

void main() {
  const uint runs = (args.inputs + 7) / 8, element = element_index(64);
  const uint row = element / runs, first = element % runs * 8;
  if (row >= args.outputs[0]) return;
  float w[8];
  dequantise8(row, first, RUNS ? grid_word(row, first) : 0, w);
  for (uint i = 0; i < 8 && first + i < args.inputs; ++i) dense[row * args.inputs + first + i] = w[i];
}

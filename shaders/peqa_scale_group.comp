// ds[i,k] += Σ_{j in group k} g[i,j] · (q[i,j] − z[i,k]), z = 0 beside a float offset, and doffset[i,k] += Σ g[i,j] where
// the offset is trained, for rows i of a tile, g = its rows of the weight's gradient; one invocation a group, columns in
// order
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#include "peqa.h"
#include "lib/index.glsl"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint BITS = 4;
layout(constant_id = 1) const bool OFFSET = false;
layout(constant_id = 2) const bool TRAINED = false;
layout(binding = 0) buffer Ds { float ds[]; };
layout(binding = 1) buffer Doffset { float doffset[]; };
layout(binding = 2) readonly buffer G { float g[]; };
layout(binding = 3) readonly buffer Codes { uint codes[]; };
layout(binding = 4) readonly buffer Grid { uint grid[]; };
layout(push_constant) uniform Push { PeqaArgs args; };

void main() {
  const uint groups = args.columns / args.group_size, element = element_index(64);
  const uint tile_row = element / groups, k = element % groups, row = args.first + tile_row;
  if (tile_row >= args.count) return;
  const float zero = OFFSET ? 0.0 : float(grid[row * groups + k] >> 16);
  float sum = 0.0, plain = 0.0;
  uint loaded = 0xffffffffu, word = 0;  // the last word of codes that was read
  for (uint j = k * args.group_size; j < (k + 1) * args.group_size; ++j) {
    const uint bit = j * BITS, shift = bit % 32;
    if (bit / 32 != loaded) {
      loaded = bit / 32;
      word = codes[row * args.words_per_row + loaded];
    }
    uint code = word >> shift;
    if (BITS == 3 && shift > 29) code |= codes[row * args.words_per_row + loaded + 1] << (32 - shift);
    code &= (1u << BITS) - 1u;
    const float gradient = g[tile_row * args.columns + j];
    sum += gradient * (float(code) - zero);
    plain += gradient;
  }
  ds[row * groups + k] += sum;
  if (TRAINED) doffset[row * groups + k] += plain;
}

// y[r,:] = scale · x[r,:] · (had_ORDERᵀ ⊗ H_m2), or y += that
#version 460
#extension GL_GOOGLE_include_directive : require
#include "hadamard.h"
#include "lib/index.glsl"

layout(binding = 0) buffer Y { float y[]; };
layout(binding = 1) readonly buffer X { float x[]; };
layout(binding = 2) readonly buffer Signs { uint signs[]; };
layout(push_constant) uniform Push { HadamardArgs args; };
#include "lib/hadamard_rows.glsl"

float element(uint start, uint i) { return x[start + i]; }

void main() {
  const uint row = row_index() * ROWS;
  if (row < args.rows) transform_rows(row);
}

// With n = x·rstd:  dx = rstd · (dy·weight − n · mean_c(dy·weight·n)), or dx += that
//! variants: READ=floats,texels
#version 460
#extension GL_EXT_samplerless_texture_functions : require
#extension GL_GOOGLE_include_directive : require
#include "rmsnorm.h"
#include "lib/values.glsl"
#include "lib/row_of_values.glsl"

layout(constant_id = 0) const bool ACCUMULATE = false;
layout(binding = 0) writeonly buffer Dx { VALUE dx[]; };
VALUES(1, Dy, dy);
VALUES(2, X, x);
layout(binding = 3) readonly buffer Rstd { float rstd[]; };
VALUES(4, Weight, weight);
VALUES(5, Before, before);  // dx
layout(push_constant) uniform Push { RmsnormArgs args; };

void main() {
  const uint row = row_of_lane(), lane = lane_of_row();
  if (row >= args.rows) return;
  const uint base = row * args.values;
  const float r = rstd[row];
  VALUE dot_product = VALUE(0.0);
  for (uint c = lane; c < args.values; c += LANES) {
    dot_product += AT(dy, base + c) * AT(weight, c) * AT(x, base + c) * r;
  }
  const float mean = row_sum(dot_product) / float(args.width);
  for (uint c = lane; c < args.values; c += LANES) {
    const VALUE value = r * (AT(dy, base + c) * AT(weight, c) - AT(x, base + c) * r * mean);
    dx[base + c] = ACCUMULATE ? AT(before, base + c) + value : value;
  }
}

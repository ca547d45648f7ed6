// y[r,c] = x[r,c] · rstd[r] · weight[c],  rstd[r] = 1 / sqrt(mean_c x[r,c]² + epsilon)
//! variants: READ=floats,texels
#version 460
#extension GL_EXT_samplerless_texture_functions : require
#extension GL_GOOGLE_include_directive : require
#include "rmsnorm.h"
#include "lib/values.glsl"
#include "lib/row_of_values.glsl"

layout(binding = 0) writeonly buffer Y { VALUE y[]; };
layout(binding = 1) writeonly buffer Rstd { float rstd[]; };
VALUES(2, X, x);
VALUES(3, Weight, weight);
layout(push_constant) uniform Push { RmsnormArgs args; };

void main() {
  const uint row = row_of_lane(), lane = lane_of_row();
  if (row >= args.rows) return;
  const uint base = row * args.values;
  VALUE squares = VALUE(0.0);
  for (uint c = lane; c < args.values; c += LANES) {
    const VALUE v = AT(x, base + c);
    squares += v * v;
  }
  const float r = inversesqrt(row_sum(squares) / float(args.width) + args.epsilon);
  for (uint c = lane; c < args.values; c += LANES) y[base + c] = AT(x, base + c) * r * AT(weight, c);
  if (lane == 0) rstd[row] = r;
}

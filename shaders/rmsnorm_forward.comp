// y[r,c] = x[r,c] · rstd[r] · weight[c],  rstd[r] = 1 / sqrt(mean_c x[r,c]² + epsilon). ADD: of sum = x + addend, which it
// writes too.
//! variants: READ=floats,texels
#version 460
#extension GL_EXT_samplerless_texture_functions : require
#extension GL_GOOGLE_include_directive : require
#include "rmsnorm.h"
#include "lib/values.glsl"
#include "lib/row_of_values.glsl"

layout(constant_id = 0) const bool ADD = false;
layout(binding = 0) writeonly buffer Y { VALUE y[]; };
layout(binding = 1) writeonly buffer Rstd { float rstd[]; };
VALUES(2, X, x);
VALUES(3, Weight, weight);
VALUES(4, Addend, addend);
layout(binding = 5) writeonly buffer Sum { VALUE sum[]; };
layout(push_constant) uniform Push { RmsnormArgs args; };

VALUE normed(uint i) { return ADD ? AT(x, i) + AT(addend, i) : AT(x, i); }

void main() {
  const uint row = row_of_lane(), lane = lane_of_row();
  if (row >= args.rows) return;
  const uint base = row * args.values;
  VALUE squares = VALUE(0.0);
  for (uint c = lane; c < args.values; c += LANES) {
    const VALUE v = normed(base + c);
    squares += v * v;
    if (ADD) sum[base + c] = v;
  }
  const float r = inversesqrt(row_sum(squares) / float(args.width) + args.epsilon);
  for (uint c = lane; c < args.values; c += LANES) y[base + c] = normed(base + c) * r * AT(weight, c);
  if (lane == 0) rstd[row] = r;
}

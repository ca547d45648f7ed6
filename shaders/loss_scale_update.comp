// With state = {S, k} and norm = {S·n, .}:
//   S·n finite: norm ← {n, c / S},  c = max_norm > 0 ? min(1, max_norm / (n + 1e-6)) : 1,  k ← k + 1;
//               at k = growth_interval S ← min(2·S, largest) and k ← 0
//   otherwise:  S ← max(S / 2, 1),  k ← 0
#version 460
#extension GL_GOOGLE_include_directive : require
#include "loss_scale.h"

layout(local_size_x = 1) in;
layout(binding = 0) buffer Norm { float norm[]; };
layout(binding = 1) buffer State { float state[]; };
layout(push_constant) uniform Push { LossScaleUpdateArgs args; };

void main() {
  const float scale = state[0];
  const uint exponent = 0x7f800000u;
  if ((floatBitsToUint(norm[0]) & exponent) == exponent) {
    state[0] = max(0.5 * scale, 1.0);
    state[1] = 0.0;
    return;
  }
  const float n = norm[0] / scale;
  norm[0] = n;
  norm[1] = (args.max_norm > 0.0 ? min(1.0, args.max_norm / (n + 1e-6)) : 1.0) / scale;
  const bool grow = state[1] + 1.0 >= args.growth_interval;
  state[0] = grow ? min(2.0 * scale, args.largest) : scale;
  state[1] = grow ? 0.0 : state[1] + 1.0;
}

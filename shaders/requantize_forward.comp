//! variants: RUN=1,8
// weight[i,j] = s·(clip(round(phi[i,j] + scaling·product[i,j]), lowest, highest) − zero); a run an invocation
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#include "requantize.h"
#include "lib/index.glsl"
#include "lib/run.glsl"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint STORE = 0;
layout(constant_id = 1) const uint CODE_BITS = 8;
layout(constant_id = 2) const bool INTEGER = false;
layout(constant_id = 3) const bool HALF = true;
layout(constant_id = 4) const bool ZEROS = false;
layout(binding = 0) writeonly buffer Weight { FLOATS(weight); };
layout(binding = 1) readonly buffer W { uint w[]; };
layout(binding = 2) readonly buffer Product { FLOATS(product); };
layout(binding = 3) readonly buffer Scale { float scale[]; };
layout(binding = 4) readonly buffer Zeros { uint zeros[]; };
layout(push_constant) uniform Push { RequantizeArgs args; };
#include "lib/integer_grid.glsl"

void main() {
  // Groups lie one after another, and no run crosses from one to the next.
  const uint first = element_index(64) * RUN;
  if (first >= args.rows * args.columns) return;
  const uint group = first / args.group_size;
  const float s = scale_of(group);
  const int zero = zero_of(group);
  float phi[RUN], p[RUN];
  phi_run(first, phi);
  LOAD_RUN(p, product, first)
  [[unroll]] for (uint i = 0; i < RUN; ++i) {
    precise float value = s * level_of(zero, rounded_position(phi[i], p[i]));
    p[i] = value;
  }
  STORE_RUN(weight, first, p)
}

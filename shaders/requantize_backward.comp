//! variants: RUN=1,8
// From g = ∂L/∂w, with M = 1 where lowest <= round(z) <= highest:
//   dscale += Σ over the group of g·(code − zero),  g = scaling·s·M·g, the gradient of product
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#include "requantize.h"
#include "lib/index.glsl"
#include "lib/run.glsl"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint LANES = 8;
layout(constant_id = 1) const uint STORE = 0;
layout(constant_id = 2) const uint CODE_BITS = 8;
layout(constant_id = 3) const bool INTEGER = false;
layout(constant_id = 4) const bool HALF = true;
layout(constant_id = 5) const bool ZEROS = false;
layout(binding = 0) buffer G { FLOATS(g); };
layout(binding = 1) buffer Dscale { float dscale[]; };
layout(binding = 2) readonly buffer W { uint w[]; };
layout(binding = 3) readonly buffer Product { FLOATS(product); };
layout(binding = 4) readonly buffer Scale { float scale[]; };
layout(binding = 5) readonly buffer Zeros { uint zeros[]; };
layout(push_constant) uniform Push { RequantizeArgs args; };
#include "lib/integer_grid.glsl"
#include "lib/group_sum.glsl"

void main() {
  const uint lane = gl_LocalInvocationID.x % LANES;
  const uint group = element_index(64) / LANES, begin = group * args.group_size;
  const bool present = begin < args.rows * args.columns;
  vec2 sum = vec2(0.0);
  if (present) {
    const float factor = args.scaling * scale_of(group);
    const int zero = zero_of(group);
    for (uint first = begin + lane * RUN; first < begin + args.group_size; first += LANES * RUN) {
      float phi[RUN], p[RUN], gradient[RUN];
      phi_run(first, phi);
      LOAD_RUN(p, product, first)
      LOAD_RUN(gradient, g, first)
      [[unroll]] for (uint i = 0; i < RUN; ++i) {
        const float position = rounded_position(phi[i], p[i]);
        sum.x += gradient[i] * level_of(zero, position);
        gradient[i] = position >= args.lowest && position <= args.highest ? factor * gradient[i] : 0.0;
      }
      STORE_RUN(g, first, gradient)
    }
  }
  sum = group_sum(sum);
  if (present && lane == 0) dscale[group] += sum.x;
}

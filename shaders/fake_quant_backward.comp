//! variants: RUN=1,8
// From g = ∂L/∂w, with M = 1 where Qn − τ <= v <= Qp + τ, sums over the group:
//   dscale  += grad_scale · Σ g·(M ? q − v : v < Qn ? Qn : Qp)
//   doffset += grad_scale · Σ g·(1 − M)
//   g        = alpha·M·g, the gradient of product
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#include "fake_quant.h"
#include "lib/index.glsl"
#include "lib/run.glsl"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint LANES = 8;
layout(constant_id = 1) const uint WEIGHT_TYPE = 0;
layout(constant_id = 2) const bool HALF = true;
layout(constant_id = 3) const bool OFFSET = true;
layout(binding = 0) buffer G { FLOATS(g); };
layout(binding = 1) buffer Dscale { float dscale[]; };
layout(binding = 2) buffer Doffset { float doffset[]; };
layout(binding = 3) readonly buffer W { uint w[]; };
layout(binding = 4) readonly buffer Product { FLOATS(product); };
layout(binding = 5) readonly buffer Scale { float scale[]; };
layout(binding = 6) readonly buffer Offset { float offset[]; };
layout(push_constant) uniform Push { FakeQuantArgs args; };
#include "lib/weight.glsl"
#include "lib/weight_run.glsl"
#include "lib/affine_grid.glsl"
#include "lib/group_sum.glsl"

void main() {
  const uint lane = gl_LocalInvocationID.x % LANES;
  const uint group = element_index(64) / LANES, begin = group * args.group_size;
  const bool present = begin < args.rows * args.columns;
  vec2 sums = vec2(0.0);
  if (present) {
    const AffineGrid grid = affine_grid(group);
    for (uint first = begin + lane * RUN; first < begin + args.group_size; first += LANES * RUN) {
      float w0[RUN], p[RUN], gradient[RUN];
      weight_run(first, w0);
      LOAD_RUN(p, product, first)
      LOAD_RUN(gradient, g, first)
      [[unroll]] for (uint i = 0; i < RUN; ++i) {
        const float v = position(grid, w0[i], p[i]), code = code_of(v);
        const bool inside = v >= args.lowest - args.tolerance && v <= args.highest + args.tolerance;
        sums += gradient[i] * (inside ? vec2(code - v, 0.0) : vec2(code, 1.0));
        gradient[i] = inside ? args.alpha * gradient[i] : 0.0;
      }
      STORE_RUN(g, first, gradient)
    }
  }
  sums = group_sum(sums);
  if (present && lane == 0) {
    dscale[group] += args.grad_scale * sums.x;
    if (OFFSET) doffset[group] += args.grad_scale * sums.y;
  }
}

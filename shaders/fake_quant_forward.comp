//! variants: RUN=1,8
// quantised[i,j] = s·round(clamp((w0[i,j] + alpha·product[i,j] − b)/s, Qn, Qp)) + b, a run of weights an invocation
#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#include "fake_quant.h"
#include "lib/index.glsl"
#include "lib/run.glsl"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint WEIGHT_TYPE = 0;
layout(constant_id = 1) const bool HALF = true;
layout(constant_id = 2) const bool OFFSET = true;
layout(binding = 0) writeonly buffer Quantised { FLOATS(quantised); };
layout(binding = 1) readonly buffer W { uint w[]; };
layout(binding = 2) readonly buffer Product { FLOATS(product); };
layout(binding = 3) readonly buffer Scale { float scale[]; };
layout(binding = 4) readonly buffer Offset { float offset[]; };
layout(push_constant) uniform Push { FakeQuantArgs args; };
#include "lib/weight.glsl"
#include "lib/weight_run.glsl"
#include "lib/affine_grid.glsl"

void main() {
  // Groups lie one after another, and no run crosses from one to the next.
  const uint first = element_index(64) * RUN;
  if (first >= args.rows * args.columns) return;
  const AffineGrid grid = affine_grid(first / args.group_size);
  float w0[RUN], p[RUN];
  weight_run(first, w0);
  LOAD_RUN(p, product, first)
  [[unroll]] for (uint i = 0; i < RUN; ++i) p[i] = weight_of(grid, code_of(position(grid, w0[i], p[i])));
  STORE_RUN(quantised, first, p)
}

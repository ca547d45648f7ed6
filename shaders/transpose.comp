// Of every part: y[c,r] = x[r,c], tiles of 32 x 32 through shared memory
#version 460
#extension GL_GOOGLE_include_directive : require
#include "transpose.h"
#include "lib/index.glsl"

layout(local_size_x = 256) in;
layout(binding = 0) writeonly buffer Y { float y[]; };
layout(binding = 1) readonly buffer X { float x[]; };
layout(push_constant) uniform Push { TransposeArgs args; };

shared float tile[32 * 33];  // a column more than needed: reads along a column hit different banks

void main() {
  const uint part = gl_WorkGroupID.z, columns = args.columns[part];
  const uint across = (columns + 31u) / 32u;
  const uint row = row_index() / across * 32u;
  if (row >= args.rows) return;
  const uint column = row_index() % across * 32u;
  const uint minor = gl_LocalInvocationID.x % 32u;
  const uint major = gl_LocalInvocationID.x / 32u;
  for (uint r = major; r < 32u; r += 8u)
    if (row + r < args.rows && column + minor < columns)
      tile[r * 33u + minor] = x[args.x_at[part] + (row + r) * columns + column + minor];
  barrier();
  for (uint c = major; c < 32u; c += 8u)
    if (row + minor < args.rows && column + c < columns)
      y[args.y_at[part] + (column + c) * args.rows + row + minor] = tile[minor * 33u + c];
}

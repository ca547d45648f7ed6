// A row of values by a workgroup of 256 invocations, or where READ=texels by one invocation: there sums across
// invocations would go through memory word by word. The including kernel has lib/values.glsl before this file.
#include "index.glsl"
#if READ == texels
layout(local_size_x = 8) in;
const uint LANES = 1;
uint row_of_lane() { return row_index() * 8 + gl_LocalInvocationID.x; }
uint lane_of_row() { return 0; }
float row_sum(vec4 value) { return (value.x + value.y) + (value.z + value.w); }
#else
#include "reduce.glsl"
layout(local_size_x = 256) in;
const uint LANES = 256;
uint row_of_lane() { return row_index(); }
uint lane_of_row() { return gl_LocalInvocationID.x; }
float row_sum(float value) { return workgroup_sum(value); }
#endif

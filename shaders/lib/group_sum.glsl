// Sums over groups of weights: a workgroup of 64 invocations serves 64 / LANES groups, each with LANES invocations, a
// power of two. The order of a sum is fixed. Every invocation calls it; each gets its group's sum.
shared vec2 group_partial[64];

vec2 group_sum(vec2 value) {
  const uint me = gl_LocalInvocationID.x, lane = me % LANES;
  group_partial[me] = value;
  barrier();
  for (uint stride = LANES / 2; stride > 0; stride >>= 1) {
    if (lane < stride) group_partial[me] += group_partial[me + stride];
    barrier();
  }
  return group_partial[me - lane];
}

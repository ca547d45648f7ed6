// Sum over a workgroup of 256 invocations through shared memory, in a fixed order; every invocation gets the result.
shared float reduce_shared[256];

float workgroup_sum(float value) {
  const uint lane = gl_LocalInvocationID.x;
  reduce_shared[lane] = value;
  barrier();
  for (uint stride = 128; stride > 0; stride >>= 1) {
    if (lane < stride) reduce_shared[lane] += reduce_shared[lane + stride];
    barrier();
  }
  const float total = reduce_shared[0];
  barrier();  // the array may be used again
  return total;
}

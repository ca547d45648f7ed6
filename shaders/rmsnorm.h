// Arguments of the rmsnorm kernels.
struct RmsnormArgs {
  uint rows;
  uint width;
  uint values;  // of a row: floats, or fours of them (lib/values.glsl)
  float epsilon;
};

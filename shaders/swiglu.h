// Arguments of the swiglu kernels.
struct SwigluArgs {
  uint values;  // floats, or fours of them (lib/values.glsl)
};

// Arguments of the swiglu kernels.
struct SwigluArgs {
  uint elements;
};

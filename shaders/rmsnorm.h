// Arguments of the rmsnorm kernels.
struct RmsnormArgs {
  uint rows;
  uint width;
  float epsilon;
};

// Arguments of the rope kernels.
struct RopeArgs {
  uint tokens;  // T
  uint heads;   // H
  uint width;   // D
};

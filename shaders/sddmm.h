// Arguments of the sampled product kernel.
struct SddmmArgs {
  uint tokens;
  uint rows;  // of F
  float scale;
};

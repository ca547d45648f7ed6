// Arguments of the sampled product kernel.
struct SddmmArgs {
  uint tokens;
  uint nonzeros;
  uint rows;  // of F
  float scale;
};

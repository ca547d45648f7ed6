// Arguments of the gathered product kernels.
struct SddmmGatheredArgs {
  uint tokens;
  uint rows;  // of F
  float scale;
};

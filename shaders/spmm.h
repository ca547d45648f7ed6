// Arguments of the sparse product kernel.
struct SpmmArgs {
  uint tokens;
  uint outputs;     // rows of F, or its columns for the product with F itself
  uint accumulate;  // 1: y += instead of y =
  float scale;
};

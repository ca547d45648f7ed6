// Arguments of the multiply_add kernel.
struct MultiplyAddArgs {
  uint elements;
  uint rounds;
  float x;
};

// Arguments of the multiply_matrices kernel.
struct MultiplyMatricesArgs {
  uint rounds;
};

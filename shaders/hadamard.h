// Arguments of the Hadamard kernels.
struct HadamardArgs {
  uint rows;        // rows of the view that the kernel works on
  uint inner;       // hadamard_base: distance of neighbours on the base's axis
  uint signs;       // first word of the base's signs in the table
  uint accumulate;  // 1: y += instead of y =
  float scale;
  float epsilon;  // hadamard_rows_normed: of the norm
};

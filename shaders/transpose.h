// Arguments of the transpose kernel.
struct TransposeArgs {
  uint rows;     // of x
  uint columns;  // of x
};

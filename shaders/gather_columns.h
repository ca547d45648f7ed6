// Arguments of the gather_columns kernel.
struct GatherColumnsArgs {
  uint elements;    // of y
  uint columns;     // of x and y
  uint accumulate;  // add to y
};

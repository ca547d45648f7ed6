// Arguments of the requantize kernels: a tile [rows, columns] of a weight, its grid [rows, columns /
// group_size].
struct RequantizeArgs {
  uint rows;
  uint columns;
  uint group_size;
  uint words_per_row;  // of packed values
  float lowest;        // Qn, or 0
  float highest;       // Qp, or 2^bits − 1
  float unit;          // of packed values: 2^-fraction
  float scaling;
};

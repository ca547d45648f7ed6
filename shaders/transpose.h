#include "parts.h"

// Arguments of the transpose kernels: matrices of as many rows.
struct TransposeArgs {
  uint rows;                 // of x
  uint columns[MOST_PARTS];  // of x
  uint x_at[MOST_PARTS];
  uint y_at[MOST_PARTS];
};

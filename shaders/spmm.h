#include "parts.h"

// Arguments of the sparse product kernels. The parts are products of one dense operand, each with a result,
// or products that one result sums.
struct SpmmArgs {
  uint tokens;
  uint accumulate;           // 1: y += instead of y =
  uint summed;               // parts that one result sums
  uint outputs[MOST_PARTS];  // of each result: rows of F, or its columns for the product with F itself
  float scale[MOST_PARTS];
  uint y_at[MOST_PARTS];
  uint xt_at[MOST_PARTS];
  uint values_at[MOST_PARTS];
  uint pointer_at[MOST_PARTS];
  uint index_at[MOST_PARTS];
  uint permutation_at[MOST_PARTS];
};

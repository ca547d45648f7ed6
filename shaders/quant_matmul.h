#include "parts.h"

// Arguments of the quant_matmul kernels: codes [outputs, words_per_row], see src/tensor/quantized_matrix.h.
// Of a forward the parts are products of the same x, of a backward the products whose sum is dx.
struct QuantMatmulArgs {
  uint tokens;
  uint inputs;
  uint words_per_row;
  uint group_size;
  uint extra;  // forward: add the bias; backward: add to what dx holds
  uint parts;
  uint outputs[MOST_PARTS];
  uint codes_at[MOST_PARTS];
  uint grid_at[MOST_PARTS];
  uint y_at[MOST_PARTS];  // of dy in the backward
  uint bias_at[MOST_PARTS];
};

// Arguments of the quant_matmul kernels: codes [outputs, words_per_row], see src/tensor/quantized_matrix.h.
struct QuantMatmulArgs {
  uint tokens;
  uint inputs;
  uint outputs;
  uint words_per_row;
  uint group_size;
  uint extra;  // forward: add the bias; backward: add to what dx holds
};

// Arguments of the peqa kernels: a quantised weight [rows, columns], src/tensor/quantized_matrix.h.
struct PeqaArgs {
  uint tokens;
  uint rows;
  uint columns;
  uint words_per_row;
  uint group_size;
  uint first;  // peqa_scale_group: the first row of the tile
  uint count;  // of its rows
};

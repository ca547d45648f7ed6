// Arguments of the fake_quant kernels: a tile [rows, columns] of a weight, its grid [rows, columns /
// group_size].
struct FakeQuantArgs {
  uint rows;
  uint columns;
  uint group_size;
  float lowest;   // Qn
  float highest;  // Qp
  float alpha;
  float tolerance;   // τ of the mask
  float grad_scale;  // of the gradients of scale and offset
};

// Arguments of the matmul kernels: a weight [outputs, inputs] that is rows first_output ... of a matrix with
// all_outputs rows, because a driver may bind only a part of it at a time.
struct MatmulArgs {
  uint tokens;
  uint inputs;
  uint outputs;
  uint first_output;
  uint all_outputs;
  uint extra;  // forward: add the bias; backward: add to what dx holds
};

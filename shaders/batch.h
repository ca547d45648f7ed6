// Arguments of the batch kernels.
struct RingArgs {
  uint slots;
  uint words;
};
struct SumArgs {
  uint elements;
  uint accumulate;
};

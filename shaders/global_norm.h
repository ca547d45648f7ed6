// Arguments of the global_norm kernels.
struct GlobalNormPartialArgs {
  uint elements;
  uint partials;
};
struct GlobalNormFinishArgs {
  uint partials;
  float max_norm;
};

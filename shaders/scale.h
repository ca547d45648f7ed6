// Arguments of the scale kernel.
struct ScaleArgs {
  uint elements;
  float factor;
};

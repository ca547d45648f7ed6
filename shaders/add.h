// Arguments of the add kernel.
struct AddArgs {
  uint values;  // floats, or fours of them (lib/values.glsl)
};

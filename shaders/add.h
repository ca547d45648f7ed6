// Arguments of the add kernel.
struct AddArgs {
  uint elements;
};

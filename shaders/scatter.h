// Arguments of the scatter kernel.
struct ScatterArgs {
  uint rows;
  uint width;
  uint slots;
};

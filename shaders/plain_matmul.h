// Arguments of the plain_matmul kernel.
struct PlainMatmulArgs {
  uint tokens;
  uint n4;  // n / 4
  uint m;
};

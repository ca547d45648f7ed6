// Arguments of the attention kernels.
struct AttentionArgs {
  uint queries;   // T
  uint keys;      // S
  uint heads;     // H
  uint kv_heads;  // KV
  uint width;     // D, a multiple of 8
  float scale;
};

// Arguments of the attention kernels.
struct AttentionArgs {
  uint queries;   // T
  uint keys;      // S
  uint heads;     // H
  uint kv_heads;  // KV
  float scale;
};

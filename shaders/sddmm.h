#include "parts.h"

// Arguments of the sampled product kernels: of every part its own F and dyᵀ, of all the same xᵀ.
struct SddmmArgs {
  uint tokens;
  uint nonzeros[MOST_PARTS];
  uint rows[MOST_PARTS];  // of F
  float scale[MOST_PARTS];
  uint values_at[MOST_PARTS];
  uint dyt_at[MOST_PARTS];
  uint pointer_at[MOST_PARTS];
  uint index_at[MOST_PARTS];
};

#include "parts.h"

// Arguments of the rope kernels: parts of as many tokens, whose heads are as wide.
struct RopeArgs {
  uint tokens;             // T
  uint width;              // D
  uint heads[MOST_PARTS];  // H
  uint x_at[MOST_PARTS];
};

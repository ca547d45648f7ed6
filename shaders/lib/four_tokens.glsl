// Four neighbouring tokens of a row of a transposed operand [rows, tokens] at once. LANES is how wide memory is read: 4
// where the tokens are a multiple of four, else 1. Positions beyond the end repeat the last ones.
#if LANES == 4
#define ELEMENT vec4
#define FOUR_TOKENS(buffer_, row, t, tokens) buffer_[((row) * (tokens) + min(t, (tokens) - 4)) / 4]
#else
#define ELEMENT float
#define FOUR_TOKENS(buffer_, row, t, tokens)                   \
  vec4(buffer_[(row) * (tokens) + min(t, (tokens) - 1)],       \
       buffer_[(row) * (tokens) + min((t) + 1, (tokens) - 1)], \
       buffer_[(row) * (tokens) + min((t) + 2, (tokens) - 1)], \
       buffer_[(row) * (tokens) + min((t) + 3, (tokens) - 1)])
#endif

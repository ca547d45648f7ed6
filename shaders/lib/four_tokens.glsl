// Four neighbouring tokens of a row of a transposed operand [rows, tokens] at once. LANES is how memory is read: 4 words
// at once where the tokens are a multiple of four, else 1. Positions beyond the end repeat the last ones. The operand
// begins at word `at` of its binding, a multiple of four.
#if LANES == 4
#define TOKENS_OF(number, Block, name) \
  layout(binding = number) readonly buffer Block { vec4 name[]; }
#define FOUR_TOKENS(name, at, row, t, tokens) name[((at) + (row) * (tokens) + min(t, (tokens) - 4)) / 4]
#else
#define TOKENS_OF(number, Block, name) \
  layout(binding = number) readonly buffer Block { float name[]; }
#define FOUR_TOKENS(name, at, row, t, tokens)                      \
  vec4(name[(at) + (row) * (tokens) + min(t, (tokens) - 1)],       \
       name[(at) + (row) * (tokens) + min((t) + 1, (tokens) - 1)], \
       name[(at) + (row) * (tokens) + min((t) + 2, (tokens) - 1)], \
       name[(at) + (row) * (tokens) + min((t) + 3, (tokens) - 1)])
#endif

// Four neighbouring tokens of a row of a transposed operand [rows, tokens] at once, and single words of flat tables.
// LANES is how memory is read: 4 words at once where the tokens are a multiple of four, else 1; or texels of four words,
// which drivers that run on the CPU gather much faster than storage buffers (lib/gemm_texels.glsl says why).
// Positions beyond the end repeat the last ones.
#define texels 16
#if LANES == texels
#define FLOATS(number, Block, name) layout(binding = number) uniform textureBuffer name
#define WORDS(number, Block, name) layout(binding = number) uniform utextureBuffer name
#define TOKENS_OF(number, Block, name) FLOATS(number, Block, name)
#define FOUR_TOKENS(name, row, t, tokens) texelFetch(name, int(((row) * (tokens) + min(t, (tokens) - 4)) / 4))
#define AT(name, i) texelFetch(name, int((i) >> 2))[(i) & 3]
#else
#define FLOATS(number, Block, name) \
  layout(binding = number) readonly buffer Block { float name[]; }
#define WORDS(number, Block, name) \
  layout(binding = number) readonly buffer Block { uint name[]; }
#define AT(name, i) name[i]
#if LANES == 4
#define TOKENS_OF(number, Block, name) \
  layout(binding = number) readonly buffer Block { vec4 name[]; }
#define FOUR_TOKENS(name, row, t, tokens) name[((row) * (tokens) + min(t, (tokens) - 4)) / 4]
#else
#define TOKENS_OF(number, Block, name) FLOATS(number, Block, name)
#define FOUR_TOKENS(name, row, t, tokens)                    \
  vec4(name[(row) * (tokens) + min(t, (tokens) - 1)],       \
       name[(row) * (tokens) + min((t) + 1, (tokens) - 1)], \
       name[(row) * (tokens) + min((t) + 2, (tokens) - 1)], \
       name[(row) * (tokens) + min((t) + 3, (tokens) - 1)])
#endif
#endif

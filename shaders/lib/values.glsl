// Elementwise kernels work on values: a float, or on drivers that run on the CPU four floats in a row (READ=texels),
// which those gather much faster from texel buffers than words from storage buffers (lib/gemm_texels.glsl says why).
#define texels 4
#if READ == texels
#define VALUE vec4
#define VALUES(number, Block, name) layout(binding = number) uniform textureBuffer name
#define AT(name, i) texelFetch(name, int(i))
#else
#define VALUE float
#define VALUES(number, Block, name) \
  layout(binding = number) readonly buffer Block { float name[]; }
#define AT(name, i) name[i]
#endif

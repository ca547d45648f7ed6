//! variants: TYPE=f32,f16,bf16
// y[t,c] = w[ids[t],c], w stored as f32, or as f16 or bf16 two to a word. An id beyond the vocabulary gives zeros.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "embedding.h"
#include "lib/index.glsl"

layout(local_size_x = 256) in;
layout(binding = 0) writeonly buffer Y { float y[]; };
layout(binding = 1) readonly buffer Ids { uint ids[]; };
layout(binding = 2) readonly buffer Weight { uint words[]; };
layout(push_constant) uniform Push { EmbeddingArgs args; };

#define f32 0
#define f16 1
#define bf16 2

float weight(uint i) {
#if TYPE == f32
  return uintBitsToFloat(words[i]);
#elif TYPE == f16
  const vec2 pair = unpackHalf2x16(words[i / 2]);
  return (i & 1) == 0 ? pair.x : pair.y;
#else
  const uint pair = words[i / 2];
  return uintBitsToFloat((i & 1) == 0 ? pair << 16 : pair & 0xffff0000u);
#endif
}

void main() {
  const uint i = element_index(256);
  if (i >= args.tokens * args.width) return;
  const uint id = ids[i / args.width];
  if (id >= args.first && id - args.first < args.rows) {
    y[i] = weight((id - args.first) * args.width + i % args.width);
  } else if (args.first == 0 && id >= args.vocabulary) {
    y[i] = 0.0;
  }
}

// dw[id,c] += Σ_{t: ids[t] = id} dy[t,c], tokens in order. One workgroup a token; the one of an id's first occurrence
// adds them all, the others leave, so that no two write the same row.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "embedding.h"
#include "lib/index.glsl"

layout(local_size_x = 256) in;
layout(binding = 0) buffer Dw { float dw[]; };
layout(binding = 1) readonly buffer Dy { float dy[]; };
layout(binding = 2) readonly buffer Ids { uint ids[]; };
layout(push_constant) uniform Push { EmbeddingArgs args; };

shared uint same[8];  // one bit a token of the current 256: has it this workgroup's id

void main() {
  const uint token = row_index();
  if (token >= args.tokens) return;
  const uint id = ids[token];
  if (id < args.first || id - args.first >= args.rows) return;
  const uint lane = gl_LocalInvocationID.x;
  const uint row = (id - args.first) * args.width;
  for (uint base = 0; base < args.tokens; base += 256) {
    if (lane < 8) same[lane] = 0;
    barrier();
    if (base + lane < args.tokens && ids[base + lane] == id) atomicOr(same[lane / 32], 1u << (lane % 32));
    barrier();
    for (uint word = 0; word < 8; ++word) {
      for (uint bits = same[word]; bits != 0; bits &= bits - 1) {
        const uint other = base + word * 32 + findLSB(bits);
        if (other < token) return;  // the whole workgroup: an earlier token has the id
        for (uint c = lane; c < args.width; c += 256) dw[row + c] += dy[other * args.width + c];
      }
    }
    barrier();  // the bits are cleared next
  }
}

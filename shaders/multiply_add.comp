// y_i = Σ_k a_k, k < 8, after 16 · `rounds` times a_k = a_k x + x, from a_k = x (i mod 64 + k). Eight independent chains
// keep the arithmetic units busy and memory idle; sixteen steps a round hide the loop.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "lib/index.glsl"
#include "multiply_add.h"

#define CHAIN(a) a = a * x + x;
#define STEP CHAIN(a0) CHAIN(a1) CHAIN(a2) CHAIN(a3) CHAIN(a4) CHAIN(a5) CHAIN(a6) CHAIN(a7)
#define STEPS4 STEP STEP STEP STEP

layout(local_size_x = 256) in;
layout(binding = 0) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { MultiplyAddArgs args; };

void main() {
  const uint i = element_index(256);
  if (i >= args.elements) return;
  const float x = args.x, first = float(i % 64);
  float a0 = x * first, a1 = x * (first + 1), a2 = x * (first + 2), a3 = x * (first + 3);
  float a4 = x * (first + 4), a5 = x * (first + 5), a6 = x * (first + 6), a7 = x * (first + 7);
  for (uint round = 0; round < args.rounds; ++round) {
    STEPS4 STEPS4 STEPS4 STEPS4
  }
  y[i] = ((a0 + a1) + (a2 + a3)) + ((a4 + a5) + (a6 + a7));
}

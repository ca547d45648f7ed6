// With g = gradient · norm[1], step = {η, 1 − β1^t, 1 − β2^t, t}, η' = η · rate_scale:
//   m ← β1·m + (1 − β1)·g,   v ← β2·v + (1 − β2)·g²
//   p ← p − η' · ((m / step[1]) / (sqrt(v / step[2]) + ε) + λ·p),   gradient ← 0
// Where the norm is not finite, p, m and v stay and only the gradient is cleared.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "adamw.h"
#include "lib/index.glsl"

layout(local_size_x = 256) in;
layout(binding = 0) buffer Parameter { float parameter[]; };
layout(binding = 1) buffer Gradient { float gradient[]; };
layout(binding = 2) buffer M { float m[]; };
layout(binding = 3) buffer V { float v[]; };
layout(binding = 4) readonly buffer Step { float step[]; };
layout(binding = 5) readonly buffer Norm { float norm[]; };
layout(push_constant) uniform Push { AdamwArgs args; };

void main() {
  const uint i = element_index(256);
  if (i >= args.elements) return;
  const float g = gradient[i] * norm[1];
  gradient[i] = 0.0;
  const uint exponent = 0x7f800000u;
  if ((floatBitsToUint(norm[0]) & exponent) == exponent) return;
  const float first = args.beta1 * m[i] + args.one_minus_beta1 * g;
  const float second = args.beta2 * v[i] + args.one_minus_beta2 * g * g;
  m[i] = first;
  v[i] = second;
  const float p = parameter[i];
  const float direction = first / step[1] / (sqrt(second / step[2]) + args.epsilon) + args.weight_decay * p;
  parameter[i] = p - step[0] * args.rate_scale * direction;
}

// adamw.comp with m and v in 8 bits: of every 256 elements the largest |m| and v in fp32, and relative to them m as a sign
// and a level up to 127, v as a level up to 255 (lib/moment8.glsl). Levels are rounded at random, without bias: a v that
// moves by 0.1 % a step would otherwise stay on its level. A v above 0 never becomes 0, which adamw divides by.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "adamw.h"
#include "lib/index.glsl"
#include "lib/moment8.glsl"
#include "lib/philox.glsl"

layout(local_size_x = 256) in;
layout(binding = 0) buffer Parameter { float parameter[]; };
layout(binding = 1) buffer Gradient { float gradient[]; };
layout(binding = 2) buffer M { uint m[]; };
layout(binding = 3) buffer V { uint v[]; };
layout(binding = 4) buffer Largest { vec2 largest[]; };
layout(binding = 5) readonly buffer Step { float step[]; };
layout(binding = 6) readonly buffer Norm { float norm[]; };
layout(push_constant) uniform Push { AdamwArgs args; };

shared vec2 reduced[256];
shared uint codes[512];

void main() {
  const uint block = row_index(), lane = gl_LocalInvocationID.x, i = block * 256 + lane;
  if (block * 256 >= args.elements) return;
  const bool inside = i < args.elements;
  const float g = inside ? gradient[i] * norm[1] : 0.0;
  if (inside) gradient[i] = 0.0;
  const uint exponent = 0x7f800000u;
  if ((floatBitsToUint(norm[0]) & exponent) == exponent) return;  // the whole workgroup

  const uint word = block * 64 + lane / 4, shift = lane % 4 * 8;
  const uint old_m = m[word] >> shift & 255, old_v = v[word] >> shift & 255;
  const vec2 scale = largest[block];
  const float magnitude = scale.x * moment_value(old_m & 127, 127);
  const float first = args.beta1 * (old_m > 127 ? -magnitude : magnitude) + args.one_minus_beta1 * g;
  const float second = args.beta2 * scale.y * moment_value(old_v, 255) + args.one_minus_beta2 * g * g;
  if (inside) {
    const float p = parameter[i];
    const float direction = first / step[1] / (sqrt(second / step[2]) + args.epsilon) + args.weight_decay * p;
    parameter[i] = p - step[0] * args.rate_scale * direction;
  }

  reduced[lane] = inside ? vec2(abs(first), second) : vec2(0.0);
  barrier();
  for (uint stride = 128; stride > 0; stride >>= 1) {
    if (lane < stride) reduced[lane] = max(reduced[lane], reduced[lane + stride]);
    barrier();
  }
  const vec2 most = reduced[0];
  const uvec2 random = philox2x32(uvec2(i, uint(step[3])), args.key);
  uint new_m = 0, new_v = 0;
  if (inside && most.x > 0.0)
    new_m = moment_level(abs(first) / most.x, 127, 0, float(random.x >> 8) / 16777216.0) | (first < 0.0 ? 128 : 0);
  if (inside && most.y > 0.0) new_v = moment_level(second / most.y, 255, 1, float(random.y >> 8) / 16777216.0);
  codes[lane] = new_m;
  codes[256 + lane] = new_v;
  barrier();
  if (lane == 0) largest[block] = most;
  if (lane < 128) {  // a word of four codes each: those of m, then those of v
    const uint packed = codes[4 * lane] | codes[4 * lane + 1] << 8 | codes[4 * lane + 2] << 16 | codes[4 * lane + 3] << 24;
    if (lane < 64) {
      m[block * 64 + lane] = packed;
    } else {
      v[block * 64 + lane - 64] = packed;
    }
  }
}

// (cos, sin) of position · frequency to fp32 accuracy, for positions below 2^24 and angles up to 2^17.
//
// Vulkan promises 2^-11 for sin and cos, in [−π, π] only, and a product rounded once is off by 2^-8 of an
// angle of 10^5. So the product is kept as its rounded value and that rounding's exact error (Dekker 1971:
// factors in halves of 12 bits), quarter turns are taken off with π/2 in parts short enough that their
// multiples are exact (Cody and Waite 1980), and Taylor polynomials take what is left, in [−π/4, π/4].
#include "round_even.glsl"

vec2 rotation(uint position, float frequency) {
  precise const float a = float(position);
  precise const float a_high = float(position & 0xfffff000u), a_low = float(position & 0xfffu);
  precise const float b_high = uintBitsToFloat(floatBitsToUint(frequency) & 0xfffff000u);
  precise const float b_low = frequency - b_high;
  precise const float angle = a * frequency;
  precise const float rest = ((a_high * b_high - angle) + a_high * b_low + a_low * b_high) + a_low * b_low;

  precise const float quarters = round_even(angle * 0.636619772);
  precise float x = angle - quarters * 1.5625;
  x = x - quarters * 0.0081787109375;
  x = x - quarters * 1.17301940917968750e-04;
  x = x - quarters * 3.13916473260178464e-07;
  x = x + rest;

  const float s = x * x;
  const float cosine =
      1.0 + s * (-1.0 / 2.0 + s * (1.0 / 24.0 + s * (-1.0 / 720.0 + s * (1.0 / 40320.0 - s / 3628800.0))));
  const float sine = x + x * s * (-1.0 / 6.0 + s * (1.0 / 120.0 + s * (-1.0 / 5040.0 + s / 362880.0)));
  const uint quadrant = uint(quarters) & 3u;
  const vec2 turned = (quadrant & 1u) == 0 ? vec2(cosine, sine) : vec2(-sine, cosine);
  return quadrant >= 2 ? -turned : turned;
}

// x rounded to the nearest fp16 value, ties to even, as a float; beyond the largest it stays there. Written out because
// packHalf2x16 may round either way and a device may flush small halves to zero.
#include "round_even.glsl"

float round_to_half(float x) {
  const float magnitude = abs(x);
  if (magnitude < 6.103515625e-05) return round_even(x * 16777216.0) * 5.9604644775390625e-08;  // steps of 2^-24
  if (magnitude >= 65504.0) return sign(x) * 65504.0;
  const uint bits = floatBitsToUint(x);
  return uintBitsToFloat((bits + 0xfffu + ((bits >> 13) & 1u)) & 0xffffe000u);
}

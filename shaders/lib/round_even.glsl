// x rounded to the nearest whole number, ties to even: the bits of roundEven for every x. Written out because
// a driver rounds ties away from zero (docs/portability.md). Every step is exact, so no driver can differ; adding and
// subtracting 2^23 would be shorter, but Mesa 22.3 folds it away under `precise` too.
#ifndef ROUND_EVEN
#define ROUND_EVEN

float round_even(float x) {
  const float magnitude = abs(x), below = floor(magnitude), part = magnitude - below;
  const bool up = part > 0.5 || (part == 0.5 && fract(0.5 * below) != 0.0);
  const uint sign_bit = floatBitsToUint(x) & 0x80000000u;
  return uintBitsToFloat(floatBitsToUint(up ? below + 1.0 : below) | sign_bit);
}

#endif

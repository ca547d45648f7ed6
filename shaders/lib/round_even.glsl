// x rounded to the nearest whole number, ties to even: the bits of roundEven for every x. Written out because
// a driver rounds ties away from zero (docs/portability.md). Every step is exact, so no driver can differ; adding and
// subtracting 2^23 would be shorter, but Mesa 22.3 folds it away under `precise` too. Without branches: SwiftShader takes
// minutes for a kernel that unrolls some. Above 2^24 there is no part, so that uint(below) may be anything there.
#ifndef ROUND_EVEN
#define ROUND_EVEN

float round_even(float x) {
  const float magnitude = abs(x), below = floor(magnitude), part = magnitude - below;
  const uint up = (uint(part > 0.5) | (uint(part == 0.5) & uint(below))) & 1u;
  const uint sign_bit = floatBitsToUint(x) & 0x80000000u;
  return uintBitsToFloat(floatBitsToUint(below + float(up)) | sign_bit);
}

#endif

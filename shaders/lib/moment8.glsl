// Values in [0, 1] as levels of a logarithmic scale with eight steps an octave: level `top` is 1, level L is
// 2^((L − top) / 8), level 0 is 0. src/ops/adamw_reference.h has the same on the host.
const float eighths[8] = float[](1.0, 1.0905077327, 1.1892071150, 1.2968395547, 1.4142135624, 1.5422108254, 1.6817928305,
                                 1.8340080864);

float moment_value(uint level, uint top) {
  if (level == 0) return 0.0;
  const uint below = top - level, octaves = (below + 7) / 8;
  return uintBitsToFloat((127 - octaves) << 23) * eighths[8 * octaves - below];
}

// One of the two levels around r, at random such that the mean is r. Between `least` and 0 the answer is `least`, or,
// where least = 0, one of 0 and 1 in the same way.
uint moment_level(float r, uint top, uint least, float random) {
  if (r <= 0.0) return 0;
  const uint bits = floatBitsToUint(r);
  const float mantissa = uintBitsToFloat((bits & 0x7fffffu) | 0x3f800000u);
  int level = int(top) + 8 * (int(bits >> 23) - 127);
  for (uint k = 1; k < 8; ++k) level += mantissa >= eighths[k] ? 1 : 0;
  if (level >= int(top)) return top;
  const uint lower = uint(max(level, 0));
  if (lower < least) return least;
  const float from = moment_value(lower, top), to = moment_value(lower + 1, top);
  return random * (to - from) < r - from ? lower + 1 : lower;
}

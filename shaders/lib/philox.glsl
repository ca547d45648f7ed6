// Philox2x32-10 (Salmon et al., SC 2011, section 3.2): two random words of a counter and a key; src/base/philox.h has
// the same.
uvec2 philox2x32(uvec2 counter, uint key) {
  for (int round = 0; round < 10; ++round) {
    uint high, low;
    umulExtended(0xD256D193u, counter.x, high, low);
    counter = uvec2(high ^ key ^ counter.y, low);
    key += 0x9E3779B9u;
  }
  return counter;
}

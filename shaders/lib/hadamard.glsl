// The base stage of a Hadamard transform on a tile in shared memory: `ROWS_AT_ONCE` results of one column at a time, so
// that a value that was read serves that many signed additions. The including shader declares `signs`, `hadamard_tile`,
// ORDER and the constants. The table holds, for a base and a direction, word [block, j], rows padded to whole
// texels: bit r is set where the entry (block · ROWS_AT_ONCE + r, j) of the matrix is −1.

// The tile's layout: one word of padding every 32 keeps strided accesses on different banks.
uint tile_at(uint i) { return PADDED == 1u ? i + (i >> 5) : i; }

float[16] base_sums(uint table, uint block, uint first, uint stride) {
  float sums[16];
  for (uint r = 0; r < ROWS_AT_ONCE; ++r) sums[r] = 0.0;
  for (uint j = 0; j < ORDER; ++j) {
    const uint negative = signs[table + block * ((ORDER + 3u) / 4u * 4u) + j];
    const uint value = floatBitsToUint(hadamard_tile[tile_at(first + j * stride)]);
    for (uint r = 0; r < ROWS_AT_ONCE; ++r) sums[r] += uintBitsToFloat(value ^ ((negative << (31u - r)) & 0x80000000u));
  }
  return sums;
}

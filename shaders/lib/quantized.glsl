// Reading a quantised matrix (src/tensor/quantized_matrix.h): w[i,j] = scale · (q − zero) in fp32.
// The including kernel defines BITS, GROUP (constants) and the buffers codes and grid before this file.

float scale_of(uint grid_word) { return unpackHalf2x16(grid_word).x; }
float zero_of(uint grid_word) { return float(grid_word >> 16); }

// Eight consecutive weights of a row from `first`, a multiple of 8; 0 from column `columns` on. A run of eight codes
// begins at a byte: 16, 24 or 32 bits lie in one window of 32 (for 3 bits possibly across two words), 64 in two words.
void dequantise8(uint row, uint words_per_row, uint first, uint columns, out float w[8]) {
  const uint count = min(columns - first, 8);
  const uint bit = first * BITS;
  const uint word = row * words_per_row + bit / 32, shift = bit % 32;
  uint low = codes[word] >> shift, high = 0;
  if (BITS == 3 && shift + 3 * count > 32) low |= codes[word + 1] << (32 - shift);
  if (BITS == 8 && count > 4) high = codes[word + 1];
  const uint grid_row = row * (columns / GROUP);
  uint grid_word = grid[grid_row + first / GROUP];
  for (uint i = 0; i < 8; ++i) {
    if (GROUP % 8 != 0 && i < count) grid_word = grid[grid_row + (first + i) / GROUP];
    const uint code = BITS == 8 ? ((i < 4 ? low : high) >> (8 * (i % 4))) & 255u
                                : (low >> (BITS * i)) & ((1u << BITS) - 1u);
    w[i] = i < count ? scale_of(grid_word) * (float(code) - zero_of(grid_word)) : 0.0;
  }
}

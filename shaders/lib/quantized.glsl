// Reading a quantised matrix (src/tensor/quantized_matrix.h): w[i,j] = scale · (q − zero) in fp32, or
// scale · q + offset where OFFSET. The including kernel defines BITS, RUNS (whether groups are whole runs of eight columns),
// OFFSET, PART (which of the dispatch's matrices), the buffers codes and grid and the push constants args
// (shaders/quant_matmul.h) before this file.

uint grid_word(uint row, uint column) {
  return grid[args.grid_at[PART] + row * (args.inputs / args.group_size) + column / args.group_size];
}

// Eight consecutive weights of a row from `first`, a multiple of 8; 0 beyond the last column. `of_group`: the grid word
// of their group, used if RUNS. A run of eight codes begins at a byte: 16, 24 or 32 bits lie in one window of 32 (for
// 3 bits possibly across two words), 64 in two words.
void dequantise8(uint row, uint first, uint of_group, out float w[8]) {
  const uint count = min(args.inputs - first, 8);
  const uint bit = first * BITS;
  const uint word = args.codes_at[PART] + row * args.words_per_row + bit / 32, shift = bit % 32;
  uint low = codes[word] >> shift, high = 0;
  if (BITS == 3 && shift + 3 * count > 32) low |= codes[word + 1] << (32 - shift);
  if (BITS == 8 && count > 4) high = codes[word + 1];
  [[unroll]] for (uint i = 0; i < 8; ++i) {
    if (!RUNS) of_group = grid_word(row, first + min(i, count - 1));
    const uint code = BITS == 8 ? ((i < 4 ? low : high) >> (8 * (i % 4))) & 255u
                                : (low >> (BITS * i)) & ((1u << BITS) - 1u);
    const vec2 halves = unpackHalf2x16(of_group);
    precise float weight = OFFSET ? halves.x * float(code) + halves.y : halves.x * (float(code) - float(of_group >> 16));
    w[i] = i < count ? weight : 0.0;
  }
}

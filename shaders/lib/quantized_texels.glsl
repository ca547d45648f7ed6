// Reading a quantised matrix (src/tensor/quantized_matrix.h) through texels: w[i,j] = scale · (q − zero) in fp32, or
// scale · q + offset where OFFSET.
// Groups are multiples of 32 columns, so that 32 codes from a multiple of 32 on begin at a word and share a grid word.
// The including kernel defines BITS, OFFSET, the texel buffers codes and grid and the push constants args
// (shaders/quant_matmul.h) before this file.

uint grid_word(uint row, uint column) {
  const uint word = row * (args.inputs / args.group_size) + column / args.group_size;
  return texelFetch(grid, int(word / 4))[word % 4];
}

uint code_word(uint word) { return texelFetch(codes, int(word / 4))[word % 4]; }

// The codes of 32 columns of a row from `first`: BITS words.
void codes32(uint row, uint first, out uint words[BITS]) {
  const uint word = row * args.words_per_row + first / 32 * BITS;
  if (BITS % 4 == 0) {
    [[unroll]] for (uint i = 0; i < BITS; i += 4) {
      const uvec4 four = texelFetch(codes, int((word + i) / 4));
      [[unroll]] for (uint e = 0; e < 4; ++e) words[(i + e) % BITS] = four[e];
    }
  } else {
    [[unroll]] for (uint i = 0; i < BITS; ++i) words[i] = code_word(word + i);
  }
}

// The zero or the offset of a grid word.
float zero_of(uint word) { return OFFSET ? unpackHalf2x16(word).y : float(word >> 16); }

// The weight of the c-th code of the 32.
float weight32(uint words[BITS], uint c, float scale, float zero) {
  const uint bit = c * BITS, word = bit / 32, shift = bit % 32;
  uint code = words[word] >> shift;
  if (shift + BITS > 32) code |= words[word + 1] << (32 - shift);
  const float q = float(code & ((1u << BITS) - 1u));
  precise float w = OFFSET ? scale * q + zero : scale * (q - zero);  // as a dense copy of the weight has it
  return w;
}

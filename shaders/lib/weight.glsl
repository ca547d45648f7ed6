// A weight of a dense matrix stored as f32, f16 or bf16, bound as 32-bit words `w`. WEIGHT_TYPE: 0, 1, 2.
float weight_at(uint index) {
  if (WEIGHT_TYPE == 0) return uintBitsToFloat(w[index]);
  const uint word = w[index / 2];
  if (WEIGHT_TYPE == 1) {
    const vec2 pair = unpackHalf2x16(word);
    return index % 2 == 0 ? pair.x : pair.y;
  }
  return uintBitsToFloat(index % 2 == 0 ? word << 16 : word & 0xffff0000u);
}

// Eight consecutive weights from `first`; 0 from the count-th on. Pairs of 16-bit weights share a word.
void weights8(uint first, uint count, out float run[8]) {
  if (WEIGHT_TYPE == 0 || first % 2 != 0 || count < 8) {
    [[unroll]] for (uint i = 0; i < 8; ++i) run[i] = i < count ? weight_at(first + i) : 0.0;
  } else {
    [[unroll]] for (uint i = 0; i < 8; i += 2) {
      const uint word = w[(first + i) / 2];
      const vec2 pair = WEIGHT_TYPE == 1 ? unpackHalf2x16(word)
                                         : vec2(uintBitsToFloat(word << 16), uintBitsToFloat(word & 0xffff0000u));
      run[i] = pair.x;
      run[i + 1] = pair.y;
    }
  }
}

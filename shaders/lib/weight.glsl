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

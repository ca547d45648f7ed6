// Eight consecutive weights of a dense matrix stored as f32, f16 or bf16 (WEIGHT_TYPE: 0, 1, 2), read as texels `w`
// of four words; `first` is a multiple of 8.
void weights8(uint first, out float run[8]) {
  if (WEIGHT_TYPE == 0) {
    const vec4 low = uintBitsToFloat(texelFetch(w, int(first / 4)));
    const vec4 high = uintBitsToFloat(texelFetch(w, int(first / 4 + 1)));
    run = float[8](low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w);
  } else {
    const uvec4 words = texelFetch(w, int(first / 8));
    [[unroll]] for (uint i = 0; i < 8; i += 2) {
      const uint word = words[i / 2];
      const vec2 pair = WEIGHT_TYPE == 1 ? unpackHalf2x16(word)
                                         : vec2(uintBitsToFloat(word << 16), uintBitsToFloat(word & 0xffff0000u));
      run[i] = pair.x;
      run[i + 1] = pair.y;
    }
  }
}

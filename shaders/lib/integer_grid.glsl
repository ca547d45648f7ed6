// The quantiser of requantize:
//   z = phi + scaling·product,  code = clip(round(z), lowest, highest),  w = s·(code − zero)
// INTEGER: phi is whole and round(phi + c) is taken as phi + round(c), which differs on ties.
//
// phi is a float (STORE 0, 1, 2: f32, f16, bf16) or packed (3): a stream of CODE_BITS bits, phi = bits·unit + lowest.
// The including kernel defines STORE, CODE_BITS, INTEGER, HALF, ZEROS, args and the buffers w, scale and zeros.
const uint WEIGHT_TYPE = STORE;
#include "round_even.glsl"
#include "round_half.glsl"
#include "weight.glsl"
#include "weight_run.glsl"

void phi_run(uint first, out float phi[RUN]) {
  if (STORE < 3) {
    weight_run(first, phi);
    return;
  }
  // Eight values begin at a byte: they lie in 16, 24 or 32 bits from there, for 3 bits possibly across two words, or in
  // two words. A single value may cross into the next word too.
  const uint row = first / args.columns, bit = first % args.columns * CODE_BITS;
  const uint word = row * args.words_per_row + bit / 32, shift = bit % 32;
  uint low = w[word] >> shift, high = 0;
  if (shift > 0 && shift + CODE_BITS * RUN > 32) low |= w[word + 1] << (32 - shift);
  if (CODE_BITS * RUN > 32) high = w[word + 1];
  [[unroll]] for (uint i = 0; i < RUN; ++i) {
    const uint bits = CODE_BITS == 8 ? ((i < 4 ? low : high) >> (8 * (i % 4))) & 255u
                                     : (low >> (CODE_BITS * i)) & ((1u << CODE_BITS) - 1u);
    phi[i] = float(bits) * args.unit + args.lowest;
  }
}

// round(z), before the clip
float rounded_position(float phi, float product) {
  precise float moved = args.scaling * product;
  precise float sum = phi + moved;
  return INTEGER ? phi + round_even(moved) : round_even(sum);
}

float scale_of(uint group) {
  return HALF ? max(round_to_half(scale[group]), 6.103515625e-05) : max(scale[group], 1e-8);
}

int zero_of(uint group) { return ZEROS ? int(zeros[group]) : 0; }

// code − zero; as an integer, so that a product with it is never -0
float level_of(int zero, float position) { return float(int(clamp(position, args.lowest, args.highest)) - zero); }

// The quantiser of fake_quant for one weight:
//   v = (w0 + alpha·product − b)/s,  q = round(clamp(v, Qn, Qp)),  w = s·q + b.
// With HALF the grid is what a block of 16-bit scale and offset holds, w = d·(q − Qn) + m, d = half(s),
// m = half(b + d·Qn), and v belongs to that d and m. d·(q − Qn) is exact in fp32, so that a fused multiply-add changes
// nothing.
// The including kernel defines HALF, OFFSET, args and the buffers scale and offset before this file.
#include "round_even.glsl"
#include "round_half.glsl"

struct AffineGrid {
  float scale;
  float offset;  // b
  float low;     // m
};

AffineGrid affine_grid(uint group) {
  const float smallest = 6.103515625e-05;  // 2^-14, the smallest normal half
  AffineGrid grid;
  grid.scale = max(HALF ? round_to_half(scale[group]) : scale[group], smallest);
  grid.offset = OFFSET ? offset[group] : 0.0;
  precise float low = grid.offset + grid.scale * args.lowest;
  if (HALF) {
    low = round_to_half(low);
    precise float stored = low - grid.scale * args.lowest;
    grid.offset = stored;
  }
  grid.low = low;
  return grid;
}

float position(AffineGrid grid, float w0, float product) {
  precise float combined = w0 + args.alpha * product;
  precise float v = (combined - grid.offset) / grid.scale;
  return v;
}

float code_of(float v) { return round_even(clamp(v, args.lowest, args.highest)); }

float weight_of(AffineGrid grid, float code) {
  precise float w = HALF ? grid.scale * (code - args.lowest) + grid.low : grid.scale * code + grid.offset;
  return w;
}

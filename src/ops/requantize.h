// LR-QAT's quantiser: a low-rank product in units of the grid moves frozen codes (Bondarenko et al., arXiv
// 2406.06385, eq. 5). For a tile [R, n] of a weight, with s (and an integer zero) a group of a row each:
//   z = phi + scaling·product,  code = clip(round(z), lowest, highest),  w = s·(code − zero)
// Rounding, half-to-even and of derivative 1, comes before the clip, which passes gradient where round(z) is
// inside. phi = w0/s0 is frozen, so the gradient of s is that of s alone: Σ g·(code − zero).
#pragma once

#include "ops/op.h"

namespace walsh {

/// Phi0 of a weight [rows, n] on the device.
struct FrozenPhi {
  Tensor dense = {};   // f32, f16 or bf16 [rows, n]; not clipped
  Tensor packed = {};  // or u32 [rows, words_per_row(n, bits + fraction)]: phi = stored·2^-fraction + lowest
  std::uint32_t columns = 0;
  std::uint32_t bits = 4;      // of the grid
  std::uint32_t fraction = 0;  // bits after the point: 0 (whole codes) or 8 − bits (a byte a weight)
  Tensor zeros = {};  // u32 [rows, groups] of an unsigned grid 0 … 2^bits − 1; empty: signed, no zero

  std::uint64_t rows() const { return (dense ? dense : packed).shape[0]; }
  FrozenPhi tile(std::uint64_t first, std::uint64_t count) const;
};

struct RequantizeOptions {
  std::uint32_t group_size = 0;  // divides n
  float scaling = 1;
  bool half_scale = true;  // w is computed from the scale rounded to fp16, at least 2^-14
};

/// w, product: f32 [R, n]; scale: f32 [R, n / group_size].
void requantize_forward(Recorder& rec, const Tensor& w, const FrozenPhi& phi, const Tensor& product,
                        const Tensor& scale, const RequantizeOptions& options);

/// g holds ∂L/∂w and becomes ∂L/∂product; dscale += its gradient.
void requantize_backward(Recorder& rec, const Tensor& g, const Tensor& dscale, const FrozenPhi& phi,
                         const Tensor& product, const Tensor& scale, const RequantizeOptions& options);

}  // namespace walsh

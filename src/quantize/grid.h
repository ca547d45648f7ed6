// Grids of one group of weights w: the scale s and zero z (or offset b) from which codes are computed.
//   asymmetric  q = clamp(round(w/s) + z, 0, 2^bits − 1)     ŵ = s·(q − z)      z an integer of the grid
//   symmetric   q = clamp(round(w/s), Qn, Qp)                ŵ = s·q            Qn = −2^(bits−1), Qp =
//   2^(bits−1) − 1 affine      q = round(clamp((w − b)/s, Qn, Qp))          ŵ = s·q + b        b a float
// Rounding is half-to-even and comes before the zero is added. T is float or double. An all-zero group has a
// grid too: its largest weight counts as 1.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

namespace walsh {

constexpr int lowest_code(std::uint32_t bits) { return -(1 << (bits - 1)); }
constexpr int highest_code(std::uint32_t bits) { return (1 << (bits - 1)) - 1; }
/// The largest unsigned code, which is also the number of steps between the ends of a grid.
constexpr int code_steps(std::uint32_t bits) { return (1 << bits) - 1; }

template <typename T>
struct AsymmetricGrid {
  T scale;
  int zero;
};

template <typename T>
struct AffineGrid {
  T scale;
  T offset;
};

template <typename T>
int asymmetric_code(T w, T scale, int zero, std::uint32_t bits) {
  const T code = std::nearbyint(w / scale) + static_cast<T>(zero);
  return static_cast<int>(std::clamp(code, T{0}, static_cast<T>(code_steps(bits))));
}

template <typename T>
int symmetric_code(T w, T scale, std::uint32_t bits) {
  const T code = std::nearbyint(w / scale);
  return static_cast<int>(
      std::clamp(code, static_cast<T>(lowest_code(bits)), static_cast<T>(highest_code(bits))));
}

template <typename T>
int affine_code(T w, T scale, T offset, std::uint32_t bits) {
  const T v = (w - offset) / scale;
  return static_cast<int>(
      std::nearbyint(std::clamp(v, static_cast<T>(lowest_code(bits)), static_cast<T>(highest_code(bits)))));
}

/// lo = min(0, min w), hi = max(0, max w).
template <typename T>
struct Range {
  T low;
  T high;
};
template <typename T>
Range<T> weight_range(std::span<const T> w);

/// max|w|, or 1 for an all-zero group.
template <typename T>
T largest_magnitude(std::span<const T> w);

/// z = clamp(round(−lo/s), 0, 2^bits − 1).
template <typename T>
int zero_for(Range<T> range, T scale, std::uint32_t bits);

/// Min/max: s = β(hi − lo)/(2^bits − 1). An all-zero group gets s = 2β/(2^bits − 1) and the middle zero
/// 2^(bits−1): its range [-1, 1] would put the zero on a tie, which an ulp of the scale decides.
template <typename T>
AsymmetricGrid<T> asymmetric_grid(std::span<const T> w, std::uint32_t bits, T beta = 1);

/// s = max|w|/Qp (LR-QAT).
template <typename T>
T symmetric_scale(std::span<const T> w, std::uint32_t bits);

/// s = 2·max|w|/(2^bits − 1), for codes stored unsigned with z = 2^(bits−1) (GPTQ).
template <typename T>
T gptq_symmetric_scale(std::span<const T> w, std::uint32_t bits);

/// The GPTQ `mse` search: for i = 0 … steps−1 the range times p = 1 − i/grid; the first i of least Σ|s(q − z)
/// − w|^norm.
template <typename T>
struct ShrinkGrid {
  T scale;
  int zero;
  int step;
  T error;
};
template <typename T>
ShrinkGrid<T> shrink_grid(std::span<const T> w, std::uint32_t bits, T norm, int steps = 80, int grid = 100);

/// The LR-QAT search: for i = 1 … candidates, s = (i·max|w|/candidates)/Qp; the first i of least Σ|w −
/// s·q|^p.
template <typename T>
struct LpGrid {
  T scale;
  int candidate;
  T error;
};
template <typename T>
LpGrid<T> lp_grid(std::span<const T> w, std::uint32_t bits, T p, int candidates = 100);

/// Start values of L4Q's affine grid (arXiv 2402.04902, appendix B).
enum class AffineStart {
  l4q,        // s = max(|min w / Qn|, |max w / Qp|), b = 0
  lsq_plus,   // s = max(|μ − 3σ|, |μ + 3σ|)/2^(bits−1), σ of the population, b = 0
  symmetric,  // s = max|w|/2^(bits−1), b = 0
  asymmetric  // s = (max w − min w)/(Qp − Qn), b = max w − s·Qp
};
template <typename T>
AffineGrid<T> affine_start(std::span<const T> w, std::uint32_t bits, AffineStart start);

}  // namespace walsh

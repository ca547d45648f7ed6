#include "quantize/grid.h"

#include <limits>

namespace walsh {

template <typename T>
Range<T> weight_range(std::span<const T> w) {
  Range<T> range{0, 0};
  for (const T value : w) range = {std::min(range.low, value), std::max(range.high, value)};
  return range;
}

template <typename T>
T largest_magnitude(std::span<const T> w) {
  T largest = 0;
  for (const T value : w) largest = std::max(largest, std::abs(value));
  return largest == 0 ? T{1} : largest;
}

template <typename T>
int zero_for(Range<T> range, T scale, std::uint32_t bits) {
  const T zero = std::nearbyint(-range.low / scale);
  return static_cast<int>(std::clamp(zero, T{0}, static_cast<T>(code_steps(bits))));
}

template <typename T>
AsymmetricGrid<T> asymmetric_grid(std::span<const T> w, std::uint32_t bits, T beta) {
  const Range<T> range = weight_range(w);
  if (range.low == range.high) return {beta * 2 / static_cast<T>(code_steps(bits)), 1 << (bits - 1)};
  const T scale = beta * (range.high - range.low) / static_cast<T>(code_steps(bits));
  return {scale, zero_for(range, scale, bits)};
}

template <typename T>
T symmetric_scale(std::span<const T> w, std::uint32_t bits) {
  return largest_magnitude(w) / static_cast<T>(highest_code(bits));
}

template <typename T>
T gptq_symmetric_scale(std::span<const T> w, std::uint32_t bits) {
  return 2 * largest_magnitude(w) / static_cast<T>(code_steps(bits));
}

template <typename T>
ShrinkGrid<T> shrink_grid(std::span<const T> w, std::uint32_t bits, T norm, int steps, int grid) {
  const Range<T> range = weight_range(w);
  if (range.low == range.high) return {2 / static_cast<T>(code_steps(bits)), 1 << (bits - 1), 0, 0};
  ShrinkGrid<T> best{0, 0, 0, std::numeric_limits<T>::infinity()};
  for (int i = 0; i < steps; ++i) {
    const T p = 1 - static_cast<T>(i) / static_cast<T>(grid);
    const Range<T> shrunk{p * range.low, p * range.high};
    const T scale = (shrunk.high - shrunk.low) / static_cast<T>(code_steps(bits));
    const int zero = zero_for(shrunk, scale, bits);
    T error = 0;
    for (const T value : w) {
      const T code = static_cast<T>(asymmetric_code(value, scale, zero, bits) - zero);
      error += std::pow(std::abs(scale * code - value), norm);
    }
    if (error < best.error) best = {scale, zero, i, error};
  }
  return best;
}

namespace {

// Half-to-even for |x| < 2^(digits − 2): the sum has no bits after the point. Faster than std::nearbyint, and
// what a compiler makes vectors of.
template <typename T>
T round_small(T x) {
  constexpr T shift = static_cast<T>(std::uint64_t{3} << (std::numeric_limits<T>::digits - 2));
  return (x + shift) - shift;
}

// Σ power(|w − s·q|) in eight interleaved parts.
template <typename T, typename Power>
T grid_error(std::span<const T> w, T scale, std::uint32_t bits, Power power) {
  const auto lowest = static_cast<T>(lowest_code(bits)), highest = static_cast<T>(highest_code(bits));
  T parts[8] = {};
  const auto add = [&](std::size_t i, std::size_t part) {
    const T code = std::min(std::max(round_small(w[i] / scale), lowest), highest);
    parts[part] += power(std::abs(w[i] - scale * code));
  };
  std::size_t i = 0;
  for (; i + 8 <= w.size(); i += 8) {
    for (std::size_t part = 0; part < 8; ++part) add(i + part, part);
  }
  for (; i < w.size(); ++i) add(i, i % 8);
  T error = 0;
  for (const T part : parts) error += part;
  return error;
}

template <typename T>
T grid_error(std::span<const T> w, T scale, std::uint32_t bits, T p) {
  if (p == 2) return grid_error(w, scale, bits, [](T e) { return e * e; });
  if (p == 4) return grid_error(w, scale, bits, [](T e) { return e * e * (e * e); });
  return grid_error(w, scale, bits, [p](T e) { return std::pow(e, p); });
}

}  // namespace

template <typename T>
LpGrid<T> lp_grid(std::span<const T> w, std::uint32_t bits, T p, int candidates) {
  const T largest = largest_magnitude(w);
  LpGrid<T> best{0, 0, std::numeric_limits<T>::infinity()};
  for (int i = 1; i <= candidates; ++i) {
    const T threshold = static_cast<T>(i) * largest / static_cast<T>(candidates);
    const T scale = threshold / static_cast<T>(highest_code(bits));
    const T error = grid_error(w, scale, bits, p);
    if (error < best.error) best = {scale, i, error};
  }
  return best;
}

template <typename T>
AffineGrid<T> affine_start(std::span<const T> w, std::uint32_t bits, AffineStart start) {
  const auto [low, high] = std::ranges::minmax(w);
  const auto half = static_cast<T>(1 << (bits - 1));
  const auto qn = static_cast<T>(lowest_code(bits));
  const auto qp = static_cast<T>(highest_code(bits));
  if (low == 0 && high == 0) return {2 / static_cast<T>(code_steps(bits)), 0};
  switch (start) {
    case AffineStart::l4q:
      return {std::max(std::abs(low / qn), std::abs(high / qp)), 0};
    case AffineStart::symmetric:
      return {largest_magnitude(w) / half, 0};
    case AffineStart::asymmetric: {
      const T scale = (high - low) / (qp - qn);
      return {scale, high - scale * qp};
    }
    case AffineStart::lsq_plus:
      break;
  }
  T mean = 0;
  for (const T value : w) mean += value;
  mean /= static_cast<T>(w.size());
  T variance = 0;
  for (const T value : w) variance += (value - mean) * (value - mean);
  const T deviation = std::sqrt(variance / static_cast<T>(w.size()));
  return {std::max(std::abs(mean - 3 * deviation), std::abs(mean + 3 * deviation)) / half, 0};
}

#define WALSH_GRIDS(T)                                                                \
  template Range<T> weight_range(std::span<const T>);                                 \
  template T largest_magnitude(std::span<const T>);                                   \
  template int zero_for(Range<T>, T, std::uint32_t);                                  \
  template AsymmetricGrid<T> asymmetric_grid(std::span<const T>, std::uint32_t, T);   \
  template T symmetric_scale(std::span<const T>, std::uint32_t);                      \
  template T gptq_symmetric_scale(std::span<const T>, std::uint32_t);                 \
  template ShrinkGrid<T> shrink_grid(std::span<const T>, std::uint32_t, T, int, int); \
  template LpGrid<T> lp_grid(std::span<const T>, std::uint32_t, T, int);              \
  template AffineGrid<T> affine_start(std::span<const T>, std::uint32_t, AffineStart);
WALSH_GRIDS(float)
WALSH_GRIDS(double)
#undef WALSH_GRIDS

}  // namespace walsh

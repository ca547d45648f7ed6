// requantize in plain loops, on any scalar type; see fake_quant_reference.h for how roundings differentiate.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "base/half.h"
#include "ops/fake_quant_reference.h"
#include "ops/requantize.h"

namespace walsh::reference {

/// What of FrozenPhi the mathematics needs.
struct IntegerGrid {
  double lowest = 0, highest = 0;
  bool integer = false;       // phi + round(c) in place of round(phi + c)
  std::vector<double> zeros;  // a group each, or empty
  RequantizeOptions options;

  double zero(std::size_t group) const { return zeros.empty() ? 0 : zeros[group]; }
  /// The scale that the weight is computed from.
  template <typename T>
  T scale(const T& s) const {
    const auto stored = static_cast<float>(real_part(s));
    const double used = options.half_scale ? std::max(f16_to_float(float_to_f16(stored)), 0x1p-14f)
                                           : std::max(real_part(s), 1e-8);
    return straight_through(s, used);
  }
};

/// One weight: its code with the derivative of z where that is inside.
template <typename T>
struct Requantized {
  T z, code;
  bool inside;
};

template <typename T>
Requantized<T> requantize_weight(double phi, const T& product, const IntegerGrid& grid) {
  const T moved = T(grid.options.scaling) * product, z = T(phi) + moved;
  const double rounded = grid.integer ? phi + std::nearbyint(real_part(moved)) : std::nearbyint(real_part(z));
  const bool inside = rounded >= grid.lowest && rounded <= grid.highest;
  return {z, inside ? straight_through(z, rounded) : T(std::clamp(rounded, grid.lowest, grid.highest)),
          inside};
}

template <typename T>
void requantize_forward(std::vector<T>& w, const std::vector<double>& phi, const std::vector<T>& product,
                        const std::vector<T>& scale, const IntegerGrid& grid) {
  w.resize(phi.size());
  for (std::size_t i = 0; i < phi.size(); ++i) {
    const std::size_t k = i / grid.options.group_size;
    w[i] = grid.scale(scale[k]) * (requantize_weight(phi[i], product[i], grid).code - T(grid.zero(k)));
  }
}

template <typename T>
void requantize_backward(std::vector<T>& g, std::vector<T>& dscale, const std::vector<double>& phi,
                         const std::vector<T>& product, const std::vector<T>& scale,
                         const IntegerGrid& grid) {
  dscale.resize(scale.size(), T(0));
  for (std::size_t i = 0; i < phi.size(); ++i) {
    const std::size_t k = i / grid.options.group_size;
    const auto q = requantize_weight(phi[i], product[i], grid);
    dscale[k] += g[i] * (q.code - T(grid.zero(k)));
    g[i] = q.inside ? T(grid.options.scaling) * grid.scale(scale[k]) * g[i] : T(0);
  }
}

}  // namespace walsh::reference

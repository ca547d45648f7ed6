// One step of dynamic loss scaling in plain loops.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "ops/loss_scale.h"

namespace walsh::reference {

/// norm: {S·n, .} → {n, clip / S}; state: {S, steps} → the next.
template <typename T>
void loss_scale_update(std::array<T, 2>& norm, std::array<T, 2>& state, const LossScaleOptions& options) {
  auto& [scale, steps] = state;
  if (!std::isfinite(norm[0])) {
    scale = std::max(scale / 2, T(1));
    steps = 0;
    return;
  }
  const T n = norm[0] / scale;
  const T clip = options.max_norm > 0 ? std::min(T(1), T(options.max_norm) / (n + T(1e-6))) : T(1);
  norm = {n, clip / scale};
  if (++steps < T(options.growth_interval)) return;
  scale = std::min(2 * scale, T(options.largest));
  steps = 0;
}

}  // namespace walsh::reference

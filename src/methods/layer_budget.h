// How a total of QWHA coefficients is spread over layers (`--set qwha.layer_budget=error`).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace walsh {

/// What is known of a layer: its weights, and its relative squared output error without an adapter and with
/// `coefficients` of them.
struct LayerCurve {
  double weights = 0;
  double coefficients = 0;
  double error_before = 0;
  double error = 0;
};

/// Coefficients of each layer, as many together as the curves' own: the sum of errors is least if every error
/// falls as
///   error(p) = error_before · exp(−c·p / weights),  c from the point that is known
/// which makes the last coefficient of every layer worth the same (water-filling). A layer gets between a
/// quarter and four times what it had, and never more than half its weights.
std::vector<std::uint32_t> spread_budget(std::span<const LayerCurve> layers);

}  // namespace walsh

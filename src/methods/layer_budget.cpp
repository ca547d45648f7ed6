#include "methods/layer_budget.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace walsh {
namespace {

struct Bounds {
  double least, most;
};

Bounds bounds_of(const LayerCurve& l) {
  const double least = std::max(1.0, std::floor(l.coefficients / 4));
  return {least, std::max(std::max(least, l.coefficients), std::min(4 * l.coefficients, l.weights / 2))};
}

/// Coefficients at which the next one lowers the layer's error by `price`.
double share_at(const LayerCurve& l, double price) {
  const Bounds bounds = bounds_of(l);
  if (!(l.error_before > 0) || !(l.error < l.error_before) || !(l.coefficients > 0)) return bounds.least;
  const double rate =
      std::log(l.error_before / std::max(l.error, 1e-12 * l.error_before)) / l.coefficients;  // c / weights
  return std::clamp(std::log(l.error_before * rate / price) / rate, bounds.least, bounds.most);
}

}  // namespace

std::vector<std::uint32_t> spread_budget(std::span<const LayerCurve> layers) {
  double total = 0;
  for (const LayerCurve& l : layers) total += l.coefficients;
  double low = -100, high = 100;  // the price's logarithm: shares fall as it rises
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    double sum = 0;
    for (const LayerCurve& l : layers) sum += share_at(l, std::exp(middle));
    (sum > total ? low : high) = middle;
  }
  std::vector<std::uint32_t> shares;
  for (const LayerCurve& l : layers)
    shares.push_back(static_cast<std::uint32_t>(std::floor(share_at(l, std::exp(high)))));
  // What rounding, or layers that cannot take more, have left: one each in turn below the bound.
  auto left = static_cast<std::int64_t>(total) -
              static_cast<std::int64_t>(std::accumulate(shares.begin(), shares.end(), std::uint64_t{0}));
  for (bool given = true; left > 0 && given;) {
    given = false;
    for (std::size_t i = 0; i < shares.size() && left > 0; ++i)
      if (shares[i] < bounds_of(layers[i]).most) {
        ++shares[i];
        --left;
        given = true;
      }
  }
  return shares;
}

}  // namespace walsh

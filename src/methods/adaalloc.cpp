#include "methods/adaalloc.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <queue>
#include <utility>

#include "base/error.h"

namespace walsh {
namespace {

/// errors^temperature, 0 for what is not a positive number, all 1 when nothing is left. A common power of two
/// changes no share and keeps the powers in range.
std::vector<double> weights_of(std::span<const double> errors, double temperature) {
  const auto usable = [](double e) { return std::isfinite(e) && e > 0; };
  double largest = 0;
  for (const double e : errors)
    if (usable(e)) largest = std::max(largest, e);
  std::vector<double> weights(errors.size(), largest > 0 ? 0.0 : 1.0);
  if (largest == 0) return weights;
  const int exponent = std::ilogb(largest);
  for (std::size_t i = 0; i < errors.size(); ++i)
    if (usable(errors[i])) weights[i] = std::pow(std::scalbn(errors[i], -exponent), temperature);
  return weights;
}

/// Rounds of +1 to the shares below the cap, smallest first.
void hand_out(std::vector<std::uint32_t>& shares, std::uint64_t left, std::uint32_t cap) {
  while (left > 0) {
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < shares.size(); ++i)
      if (shares[i] < cap) open.push_back(i);
    if (left < open.size()) {
      std::ranges::stable_sort(open, {}, [&](std::size_t i) { return shares[i]; });
      for (std::size_t i = 0; i < left; ++i) ++shares[open[i]];
      return;
    }
    // Full rounds reach every open share alike: as many at once as the first to meet the cap allows.
    std::uint64_t rounds = left / open.size();
    for (const std::size_t i : open) rounds = std::min<std::uint64_t>(rounds, cap - shares[i]);
    for (const std::size_t i : open) shares[i] += static_cast<std::uint32_t>(rounds);
    left -= rounds * open.size();
  }
}

/// −1 from the largest share, one at a time.
void take_back(std::vector<std::uint32_t>& shares, std::uint64_t excess) {
  const auto smaller = [&](std::size_t a, std::size_t b) {
    return std::pair(shares[a], b) < std::pair(shares[b], a);
  };
  std::priority_queue<std::size_t, std::vector<std::size_t>, decltype(smaller)> largest(smaller);
  for (std::size_t i = 0; i < shares.size(); ++i) largest.push(i);
  for (; excess > 0; --excess) {
    const std::size_t i = largest.top();
    largest.pop();
    --shares[i];
    largest.push(i);
  }
}

}  // namespace

std::uint64_t qwha_budget(std::uint32_t rank, std::uint32_t outputs, std::uint32_t inputs) {
  const std::uint64_t sides = std::uint64_t{outputs} + inputs;
  const std::uint64_t weights = std::uint64_t{outputs} * inputs;
  require(rank > 0 && weights > 0, "rank {} for a layer of {} x {}: a QWHA layer needs at least rank 1", rank,
          outputs, inputs);
  require(
      rank <= weights / sides,
      "rank {} asks for {} coefficients in a layer of {} x {}, which has {} weights: rank {} is the largest",
      rank, rank * sides, outputs, inputs, weights, weights / sides);
  return rank * sides;
}

std::vector<std::uint32_t> adaalloc(std::span<const double> errors, std::uint64_t p, std::uint32_t cap,
                                    double temperature, std::uint32_t floor) {
  const std::size_t channels = errors.size();
  require(channels > 0, "a budget of {} coefficients for a layer without output channels", p);
  require(std::isfinite(temperature) && temperature >= 0,
          "the budget's temperature is {}, expected 0 or more", temperature);
  p = std::min<std::uint64_t>(p, channels * cap);
  floor = static_cast<std::uint32_t>(std::min<std::uint64_t>({floor, p / channels, cap}));

  const std::vector<double> weights = weights_of(errors, temperature);
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<std::uint32_t> shares(channels);
  std::uint64_t given = 0;
  for (std::size_t i = 0; i < channels; ++i) {
    const double share = std::floor(weights[i] / total * static_cast<double>(p));
    shares[i] = static_cast<std::uint32_t>(std::clamp<double>(share, floor, cap));
    given += shares[i];
  }
  if (given < p) hand_out(shares, p - given, cap);
  if (given > p) take_back(shares, given - p);
  return shares;
}

}  // namespace walsh

#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace walsh {

Schedule Schedule::make(const std::string& shape, double peak, std::uint32_t steps, double warmup) {
  const double count = warmup < 1 ? warmup * steps : warmup;
  return {shape, peak, steps, static_cast<std::uint32_t>(std::min<double>(std::lround(count), steps))};
}

double Schedule::rate(std::uint32_t step) const {
  if (step < warmup_steps) return peak * (step + 1) / warmup_steps;
  if (shape == "constant") return peak;
  const double progress = static_cast<double>(step - warmup_steps) / std::max(1u, steps - warmup_steps);
  if (shape == "linear") return peak * (1 - progress);
  return peak * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

}  // namespace walsh

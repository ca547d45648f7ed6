// The learning rate of a step: linear warm-up, then constant, linear or cosine decay to zero.
#pragma once

#include <cstdint>
#include <string>

namespace walsh {

struct Schedule {
  std::string shape = "cosine";  // cosine, linear, constant
  double peak = 0;
  std::uint32_t steps = 0;         // of the whole run
  std::uint32_t warmup_steps = 0;  // first steps, rising from peak / warmup_steps to peak

  /// `warmup` below 1 is a ratio of the steps, from 1 a number of steps.
  static Schedule make(const std::string& shape, double peak, std::uint32_t steps, double warmup);

  /// The rate of step 0, 1, ... steps − 1.
  double rate(std::uint32_t step) const;
};

}  // namespace walsh

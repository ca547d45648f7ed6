// walsh bench step: whole training steps of a model's shape, on random weights and tokens.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli.h"

namespace walsh {

/// What is timed: every method with every batch size and length.
struct StepBench {
  std::vector<std::string> methods;  // of `walsh train`, and "frozen": the base alone, nothing is trained
  std::vector<std::uint32_t> batch_sizes, lengths;
  std::uint32_t steps = 0;  // 0: five, or as many as half a minute allows on a CPU driver
  GivenOptions given;       // of the run: model, bits, group size, rank, ...
  std::vector<std::string> set;
};

void bench_step(const Globals& globals, const StepBench& bench);

}  // namespace walsh

// How many coefficients each output channel of a QWHA layer gets (AdaAlloc, arXiv 2509.17428, section 4).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace walsh {

/// p = rank · (inputs + outputs) coefficients for a layer; refuses rank 0 and a budget beyond outputs ·
/// inputs.
std::uint64_t qwha_budget(std::uint32_t rank, std::uint32_t outputs, std::uint32_t inputs);

/// Shares p among the channels in proportion to errors^temperature, each between `floor` and `cap`:
///   pᵢ = clamp(⌊wᵢ/Σw · p⌋, floor, cap),  then ±1 until Σpᵢ = min(p, channels · cap)
/// What is left over goes in rounds of +1 to the smallest shares below the cap; what is too much is taken
/// from the largest one at a time; ties go to the lowest index. An error that is not a positive number counts
/// as 0, and when all are 0 the shares are equal. The floor sinks to ⌊p/channels⌋ where p is too small for
/// it. The published rule has neither floor nor cap after its remainder; where that makes no difference the
/// shares are the same.
std::vector<std::uint32_t> adaalloc(std::span<const double> errors, std::uint64_t p, std::uint32_t cap,
                                    double temperature = 1.0, std::uint32_t floor = 2);

}  // namespace walsh

// Permutations that depend on a seed and a number only, so that the order of any epoch can be made again at
// any time.
#pragma once

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "base/philox.h"

namespace walsh {

enum class ShuffleStream : std::uint64_t { documents = 0x646F63, rows = 0x726F77 };

/// 0 .. size - 1 in random order (Fisher and Yates).
inline std::vector<std::uint32_t> shuffled(std::size_t size, std::uint64_t seed, ShuffleStream stream,
                                           std::uint64_t epoch) {
  std::vector<std::uint32_t> order(size);
  std::iota(order.begin(), order.end(), 0u);
  Philox random(seed, static_cast<std::uint64_t>(stream) << 40 | epoch);
  for (std::size_t i = size; i > 1; --i)
    std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
  return order;
}

}  // namespace walsh

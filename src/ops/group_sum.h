// The host's side of shaders/lib/run.glsl and lib/group_sum.glsl: kernels over the groups of a weight's grid.
#pragma once

#include <bit>
#include <string>

#include "ops/op.h"

namespace walsh {

/// Values an invocation handles together: 8 where no group ends inside such a run.
constexpr std::uint32_t run_length(std::uint32_t group_size) { return group_size % 8 == 0 ? 8 : 1; }

inline std::string run_variant(const char* kernel, std::uint32_t group_size) {
  return std::string(kernel) + (run_length(group_size) == 8 ? ".8" : ".1");
}

/// Workgroups of a kernel in which an invocation serves one run.
inline Groups groups_for_runs(std::uint64_t elements, std::uint32_t group_size) {
  return groups_for_elements(elements / run_length(group_size), 64);
}

/// Invocations that share a group's sum: a power of two, no more than the group has runs.
constexpr std::uint32_t group_lanes(std::uint32_t group_size) {
  return std::min(64u, std::bit_floor(group_size / run_length(group_size)));
}

/// Workgroups of a kernel that sums over `groups` groups.
inline Groups groups_for_sums(std::uint64_t groups, std::uint32_t group_size) {
  return groups_for_elements(groups * group_lanes(group_size), 64);
}

}  // namespace walsh

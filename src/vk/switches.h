// Environment variables with which tests and tools/lab make a device look poorer or other than it is, so that
// paths for other hardware run on the one at hand. An unusable value is refused.
//   WALSH_KERNELS=gpu|cpu      kernels as for a GPU, or as for a CPU driver, whatever the device is
//   WALSH_LARGE_TILES=1        the largest tiles of matrix products at every size
//   WALSH_MAX_BINDING=BYTES    at most as much in a binding
//   WALSH_MAX_ALLOCATION=BYTES at most as much in an allocation
//   WALSH_SUBMISSION_US=N      submissions of at most N microseconds, by cutting dispatches too
//   WALSH_LOSE_DEVICE_AT=N     the process's N-th submission finds the device lost (counted from 1)
#pragma once

#include <cstdint>

#include "vk/device_info.h"

namespace walsh::vk {

/// Everything but the loss of the device.
void apply_switches(DeviceInfo& info);

/// The submission that finds the device lost; 0: none.
std::uint64_t submission_to_lose();

}  // namespace walsh::vk

// Times of kernels and the two limits they are held against, for `walsh bench` and `walsh doctor`: the
// bandwidth of a copy and the rate of a kernel that only multiplies and adds (matrices, for products whose
// operands have 16 bits). The limit of a kernel is the one that would keep it longer; its share is that time
// over the time it took.
#pragma once

#include "kernel_case.h"
#include "vk/device.h"

namespace walsh {

struct DeviceRates {
  double bytes_per_second, operations_per_second;
  double fp16_matrices_per_second = 0, bf16_matrices_per_second = 0;  // operations of matrix units; 0: none

  double operations(vk::Precision operands) const;
};

/// The fastest runs: a limit is what the device can.
DeviceRates measure_rates(vk::Device& device);

struct Speed {
  double seconds = 0;  // the median
  double bytes_per_second = 0, operations_per_second = 0;
  const char* limit = "";  // "bandwidth", "arithmetic" or "matrices"
  double share = 0;
};

/// Times `kernel`; in a `hurry` by one sample.
Speed measure_speed(vk::Device& device, const KernelCase& kernel, const DeviceRates& rates, bool hurry,
                    vk::Precision operands = vk::Precision::fp32);

}  // namespace walsh

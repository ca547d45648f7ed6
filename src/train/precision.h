// --precision: which operands matrix products of a run have. Everything else, and every sum, is fp32.
#pragma once

#include <string>

#include "vk/device_info.h"

namespace walsh {

struct ChosenPrecision {
  vk::Precision operands = vk::Precision::fp32;
  std::string note;  // where it is not what was asked for: one line that says so
};

/// `option`: auto (fp32), fp32, fp16 or bf16. Where the device multiplies no such matrices products stay in
/// fp32, which rounds less.
ChosenPrecision choose_precision(const vk::DeviceInfo& device, const std::string& option);

}  // namespace walsh

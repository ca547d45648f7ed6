// --precision: which operands matrix products of a run have. Everything else, and every sum, is fp32.
#pragma once

#include <string>

#include "vk/device_info.h"

namespace walsh {

struct ChosenPrecision {
  vk::Precision operands = vk::Precision::fp32;
  std::string note;  // where people may not expect it: one line that says so
};

/// `option`: auto, fp32, fp16 or bf16. Where the device multiplies no such matrices products stay in fp32,
/// which rounds less. auto: on a GPU that multiplies bf16 matrices those, else fp16 ones, if
/// multiplies_exactly, whose answer is kept (vk/tuned.h); fp32 on CPU drivers.
ChosenPrecision choose_precision(const vk::DeviceInfo& device, const std::string& option);

/// What auto stands for on such a device, before that is tried.
vk::Precision automatic_precision(const vk::DeviceInfo& device);

/// Whether products of small integers, which `operands` hold and whose sums fp32 holds, are the same on
/// matrix units as without: dense and quantised, forward, backward and the weight's gradient, on small tiles
/// and large ones; and attention of queries that see one key each. Where `operands` is fp32 or the device
/// multiplies no such matrices it compares fp32 with itself.
bool multiplies_exactly(const vk::DeviceInfo& device, vk::Precision operands);

}  // namespace walsh

// Which cooperative matrices (VK_KHR_cooperative_matrix) a device multiplies, and the one place that decides
// whether products of a precision run on them.
#pragma once

#include <string>
#include <string_view>

#include "vk/device_info.h"

namespace walsh::vk {

/// The shape in which products with operands of this precision run on matrix units; none: they run in fp32
/// without. Asks features (coopmat, subgroups, fp16 or bf16), quirks, tuning and what kernels this build has.
MatrixShape matrix_shape(const DeviceInfo& info, Precision precision);

/// Why there is none, for people.
std::string_view why_no_matrices(const DeviceInfo& info, Precision precision);

/// Reads what the driver offers into `info.matrices`: of the shapes at subgroup scope that accumulate in fp32
/// the largest.
void read_matrices(DeviceInfo& info, bool bfloat16);

}  // namespace walsh::vk

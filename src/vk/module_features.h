// The optional features that a kernel asks for, read from the capabilities of its SPIR-V.
#pragma once

#include <cstdint>
#include <span>

#include "vk/device_info.h"

namespace walsh::vk {

Features features_of(std::span<const std::uint32_t> spirv);

/// What the embedded kernels use of what a device offers: a kernel that asks for more does not run there.
Features features_used(const Features& offered);

}  // namespace walsh::vk

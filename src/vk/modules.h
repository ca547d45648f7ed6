// The compute kernels embedded in the binary, by the name of their file in shaders/ (and variant,
// "stem.value").
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace walsh::vk {

struct Module {
  std::string_view name;
  std::span<const std::uint32_t> spirv;
};

std::span<const Module> modules();

}  // namespace walsh::vk

// The Vulkan loader, the instance and the validation layer.
#pragma once

#include <string>
#include <vector>

#include "vk/handles.h"

namespace walsh::vk {

/// The process's one instance, made at first use. Refuses (one line) where there is no loader. With
/// WALSH_VALIDATION=1 it turns on the Khronos validation layer with synchronisation validation, with
/// gpu-assisted the layer's checks inside kernels; or refuses where the layer is missing.
VkInstance instance();

/// Whether validation is on.
bool validation_enabled();

/// Everything the validation layer has complained of so far; any message is an error under test.
std::vector<std::string> validation_messages();

}  // namespace walsh::vk

// VkResult as an error of walsh. Included by the .cpp files of this layer only.
#pragma once

#include <volk.h>

#include <string_view>

#include "base/error.h"

namespace walsh::vk {

std::string_view result_name(VkResult result);

/// Throws DeviceLost or Failure unless `result` is a success.
void check(VkResult result, std::string_view call);

}  // namespace walsh::vk

// What is behind walsh::Device.
#pragma once

#include "vk/device.h"
#include "walsh/walsh.h"

namespace walsh {

struct Device::Impl {
  vk::Device device;
};

}  // namespace walsh

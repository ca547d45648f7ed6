// The one place where walsh tells drivers apart. A row says which driver does what, what walsh does about it,
// why and on what evidence; applying it changes the features or the tuning of a device, which every choice of
// a kernel reads.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "vk/device_info.h"

namespace walsh::vk {

struct Quirk {
  std::string_view name;
  // Where it holds; 0 and "" match anything.
  std::uint32_t vendor_id = 0;
  std::uint32_t driver_id = 0;       // VkDriverId
  std::string_view device = {};      // a part of the device's name
  std::uint32_t first_version = 0;   // driverVersion, packed as that driver packs it
  std::uint32_t last_version = ~0u;  // inclusive
  bool only_cpu = false;             // devices of type CPU
  void (*apply)(DeviceInfo&) = nullptr;
  std::string_view what = {};    // the driver does
  std::string_view remedy = {};  // walsh does
  std::string_view source = {};  // how it is known
};

std::span<const Quirk> quirk_table();

bool holds(const Quirk& quirk, const DeviceInfo& info);

/// Applies every row that holds and notes its name in `info.quirks`.
void apply_quirks(DeviceInfo& info, std::span<const Quirk> table = quirk_table());

}  // namespace walsh::vk

// What a Vulkan device offers, as `walsh devices` prints it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vk/handles.h"

namespace walsh::vk {

enum class DeviceType : std::uint8_t { discrete, integrated, virtual_gpu, cpu, other };
std::string_view name_of(DeviceType type);

/// Optional features. Every kernel has a path without each of them.
struct Features {
  bool storage16 = false;  // 16-bit values in storage buffers
  bool storage8 = false;
  bool fp16 = false;  // 16-bit float arithmetic
  bool bf16 = false;
  bool int64 = false;
  bool int_dot = false;    // packed 8-bit dot products, accelerated
  bool coopmat = false;    // VK_KHR_cooperative_matrix
  bool coopmat2 = false;   // VK_NV_cooperative_matrix2
  bool subgroups = false;  // shuffles and arithmetic in compute
};

/// The features that are on, by the names of the command line: storage16 storage8 fp16 bf16 int64 int-dot
/// coopmat ...
std::vector<std::string> names_of(const Features& features);

struct Limits {
  std::uint64_t max_storage_range = 0;  // bytes of one binding
  std::uint64_t max_texels = 0;         // elements of one texel buffer
  std::uint64_t storage_alignment = 1;  // bytes: a binding begins at a multiple of this
  std::uint64_t max_allocation = 0;     // bytes
  std::uint32_t max_invocations = 0;    // of a workgroup
  std::uint32_t max_shared_bytes = 0;
  std::uint32_t max_push_bytes = 0;
  std::array<std::uint32_t, 3> max_groups{};
  std::uint32_t subgroup_min = 0, subgroup_max = 0;
  float timestamp_nanoseconds = 0;  // a tick; 0: no timestamps
};

struct DeviceInfo {
  std::uint32_t index = 0;
  std::string name;
  DeviceType type = DeviceType::other;
  std::string driver;              // name and version as the driver says it
  std::string api;                 // "1.3.230"
  std::uint64_t memory_bytes = 0;  // of the largest device-local heap
  std::uint64_t memory_free_bytes =
      0;  // what the driver says is left (VK_EXT_memory_budget), else memory_bytes
  Features features;
  Limits limits;
  std::string cache_key;  // vendor, device and driver build: names caches
  VkPhysicalDevice handle = nullptr;
};

/// Real GPUs before CPU drivers, then as the loader lists them; `index` is the position. May be empty.
std::vector<DeviceInfo> list_devices();

/// Picks a device: an index, a part of a name (any case), or empty for the first. `disabled` is a
/// comma-separated list of features to do without. Refuses in one line: no device, index out of range, no
/// such name, unknown feature, or a device below walsh's minimum (the limit is named).
DeviceInfo choose_device(const std::string& which, const std::string& disabled = {});

}  // namespace walsh::vk

#include "vk/device_info.h"

#include <volk.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string_view>

#include "vk/cooperative_matrix.h"
#include "vk/instance.h"
#include "vk/matrices.h"
#include "vk/quirks.h"
#include "vk/result.h"
#include "vk/switches.h"

namespace walsh::vk {
namespace {

struct FeatureName {
  std::string_view name;
  bool Features::*flag;
};
constexpr FeatureName feature_names[] = {
    {"storage16", &Features::storage16}, {"storage8", &Features::storage8},
    {"fp16", &Features::fp16},           {"bf16", &Features::bf16},
    {"int64", &Features::int64},         {"int-dot", &Features::int_dot},
    {"coopmat", &Features::coopmat},     {"coopmat2", &Features::coopmat2},
    {"subgroups", &Features::subgroups}};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

DeviceType type_of(VkPhysicalDeviceType type) {
  switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
      return DeviceType::discrete;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
      return DeviceType::integrated;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
      return DeviceType::virtual_gpu;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
      return DeviceType::cpu;
    default:
      return DeviceType::other;
  }
}

std::vector<std::string> extensions_of(VkPhysicalDevice device) {
  std::uint32_t count = 0;
  check(vkEnumerateDeviceExtensionProperties(device, nullptr, &count, nullptr),
        "vkEnumerateDeviceExtensionProperties");
  std::vector<VkExtensionProperties> properties(count);
  check(vkEnumerateDeviceExtensionProperties(device, nullptr, &count, properties.data()),
        "vkEnumerateDeviceExtensionProperties");
  std::vector<std::string> names;
  for (const auto& property : properties) names.emplace_back(property.extensionName);
  return names;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void read_memory(DeviceInfo& info, bool has_budget) {
  VkPhysicalDeviceMemoryBudgetPropertiesEXT budget{};
  budget.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT;
  VkPhysicalDeviceMemoryProperties2 memory{};
  memory.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2;
  if (has_budget) memory.pNext = &budget;
  vkGetPhysicalDeviceMemoryProperties2(info.handle, &memory);
  for (std::uint32_t i = 0; i < memory.memoryProperties.memoryHeapCount; ++i) {
    const VkMemoryHeap& heap = memory.memoryProperties.memoryHeaps[i];
    if (!(heap.flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) || heap.size <= info.memory_bytes) continue;
    info.memory_bytes = heap.size;
    const bool usable = has_budget && budget.heapBudget[i] >= budget.heapUsage[i];
    info.memory_free_bytes =
        usable ? std::min(heap.size, budget.heapBudget[i] - budget.heapUsage[i]) : heap.size;
  }
}

Features read_features(VkPhysicalDevice device, const std::vector<std::string>& extensions,
                       const VkPhysicalDeviceSubgroupProperties& subgroup) {
  VkPhysicalDeviceVulkan13Features v13{};
  v13.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES;
  VkPhysicalDeviceVulkan12Features v12{};
  v12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES;
  v12.pNext = &v13;
  VkPhysicalDeviceVulkan11Features v11{};
  v11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES;
  v11.pNext = &v12;
  VkPhysicalDeviceFeatures2 features{};
  features.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  features.pNext = &v11;
  // Extensions' features are asked for only where the extension is there.
  VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrices{};
  matrices.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR;
  if (contains(extensions, VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME)) v13.pNext = &matrices;
  vkGetPhysicalDeviceFeatures2(device, &features);
  VkPhysicalDeviceVulkan13Properties properties13{};
  properties13.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_PROPERTIES;
  VkPhysicalDeviceProperties2 properties{};
  properties.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
  properties.pNext = &properties13;
  vkGetPhysicalDeviceProperties2(device, &properties);

  Features result;
  result.storage16 = v11.storageBuffer16BitAccess;
  result.storage8 = v12.storageBuffer8BitAccess;
  result.fp16 = v12.shaderFloat16;
  result.bf16 = contains(extensions, VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME);
  result.int64 = features.features.shaderInt64;
  result.int_dot = properties13.integerDotProduct4x8BitPackedSignedAccelerated;
  // Kernels on them set their subgroup size, unless there is only one, and the extension's memory model is
  // Vulkan's.
  const bool sized = properties13.minSubgroupSize == properties13.maxSubgroupSize ||
                     (properties13.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT);
  result.coopmat = matrices.cooperativeMatrix && v12.vulkanMemoryModel && sized;
  result.coopmat2 = contains(extensions, "VK_NV_cooperative_matrix2");
  constexpr VkSubgroupFeatureFlags wanted = VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_BALLOT_BIT |
                                            VK_SUBGROUP_FEATURE_SHUFFLE_BIT |
                                            VK_SUBGROUP_FEATURE_ARITHMETIC_BIT;
  result.subgroups = (subgroup.supportedOperations & wanted) == wanted &&
                     (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT);
  return result;
}

bool multiplies_bfloat16(VkPhysicalDevice device, const Features& found) {
  VkPhysicalDeviceShaderBfloat16FeaturesKHR bfloat16{};
  bfloat16.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR;
  VkPhysicalDeviceFeatures2 features{};
  features.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  features.pNext = &bfloat16;
  if (!found.bf16) return false;
  vkGetPhysicalDeviceFeatures2(device, &features);
  return bfloat16.shaderBFloat16Type && bfloat16.shaderBFloat16CooperativeMatrix;
}

DeviceInfo describe(VkPhysicalDevice device) {
  VkPhysicalDeviceVulkan13Properties v13{};
  v13.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_PROPERTIES;
  VkPhysicalDeviceMaintenance3Properties maintenance{};
  maintenance.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES;
  maintenance.pNext = &v13;
  VkPhysicalDeviceDriverProperties driver{};
  driver.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES;
  driver.pNext = &maintenance;
  VkPhysicalDeviceSubgroupProperties subgroup{};
  subgroup.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES;
  subgroup.pNext = &driver;
  VkPhysicalDeviceProperties2 properties{};
  properties.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
  properties.pNext = &subgroup;
  vkGetPhysicalDeviceProperties2(device, &properties);
  const VkPhysicalDeviceProperties& core = properties.properties;
  const auto extensions = extensions_of(device);

  DeviceInfo info;
  info.handle = device;
  info.name = core.deviceName;
  info.type = type_of(core.deviceType);
  info.driver = fmt::format("{} {}", driver.driverName, driver.driverInfo);
  info.vendor_id = core.vendorID;
  info.driver_id = driver.driverID;
  info.driver_version = core.driverVersion;
  info.api = fmt::format("{}.{}.{}", VK_API_VERSION_MAJOR(core.apiVersion),
                         VK_API_VERSION_MINOR(core.apiVersion), VK_API_VERSION_PATCH(core.apiVersion));
  info.cache_key = fmt::format("{:04x}-{:04x}-{:08x}", core.vendorID, core.deviceID, core.driverVersion);
  for (const auto byte : core.pipelineCacheUUID) info.cache_key += fmt::format("{:02x}", byte);
  if (core.apiVersion >= VK_API_VERSION_1_3) {
    info.features = read_features(device, extensions, subgroup);
    info.limits.subgroup_min = v13.minSubgroupSize;
    info.limits.subgroup_max = v13.maxSubgroupSize;
    info.limits.sized_subgroups = v13.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT;
    info.limits.max_subgroups = v13.maxComputeWorkgroupSubgroups;
    if (info.features.coopmat) read_matrices(info, multiplies_bfloat16(device, info.features));
  }
  info.limits.max_storage_range = core.limits.maxStorageBufferRange;
  info.limits.max_texels = core.limits.maxTexelBufferElements;
  info.limits.texel_alignment = core.limits.minTexelBufferOffsetAlignment;
  info.limits.storage_alignment = core.limits.minStorageBufferOffsetAlignment;
  info.limits.max_allocation = maintenance.maxMemoryAllocationSize;
  info.limits.max_invocations = core.limits.maxComputeWorkGroupInvocations;
  info.limits.max_shared_bytes = core.limits.maxComputeSharedMemorySize;
  info.limits.max_push_bytes = core.limits.maxPushConstantsSize;
  std::copy_n(core.limits.maxComputeWorkGroupCount, 3, info.limits.max_groups.begin());
  info.limits.timestamp_nanoseconds =
      core.limits.timestampComputeAndGraphics ? core.limits.timestampPeriod : 0;
  read_memory(info, contains(extensions, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME));
  info.statistics = contains(extensions, VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME);
  apply_quirks(info);
  return info;
}

// The order of preference: discrete, integrated, virtual, anything else, CPU drivers last.
int rank(DeviceType type) {
  switch (type) {
    case DeviceType::discrete:
      return 0;
    case DeviceType::integrated:
      return 1;
    case DeviceType::virtual_gpu:
      return 2;
    case DeviceType::other:
      return 3;
    case DeviceType::cpu:
      return 4;
  }
  return 5;
}

void require_minimum(const DeviceInfo& info) {
  const auto least = [&](std::uint64_t found, std::uint64_t expected, const char* limit) {
    require(found >= expected,
            "device {} ({}): {} is {}, walsh needs at least {}; choose another with --device", info.index,
            info.name, limit, found, expected);
  };
  int major = 0, minor = 0;
  std::sscanf(info.api.c_str(), "%d.%d", &major, &minor);
  require(major > 1 || minor >= 3,
          "device {} ({}): Vulkan {}, walsh needs at least 1.3; update the driver or choose another with "
          "--device",
          info.index, info.name, info.api);
  least(info.limits.max_invocations, 256, "maxComputeWorkGroupInvocations");
  least(info.limits.max_shared_bytes, 32768, "maxComputeSharedMemorySize");
  least(info.limits.max_push_bytes, 128, "maxPushConstantsSize");
  least(info.limits.max_storage_range, std::uint64_t{1} << 27, "maxStorageBufferRange");
}

}  // namespace

std::string_view name_of(DeviceType type) {
  switch (type) {
    case DeviceType::discrete:
      return "discrete";
    case DeviceType::integrated:
      return "integrated";
    case DeviceType::virtual_gpu:
      return "virtual";
    case DeviceType::cpu:
      return "cpu";
    case DeviceType::other:
      return "other";
  }
  return "other";
}

std::string_view name_of(Precision precision) {
  constexpr std::string_view names[] = {"fp32", "fp16", "bf16"};
  return names[static_cast<std::size_t>(precision)];
}

std::vector<std::string> names_of(const Features& features) {
  std::vector<std::string> names;
  for (const auto& [name, flag] : feature_names) {
    if (features.*flag) names.emplace_back(name);
  }
  return names;
}

std::uint32_t subgroup_size(const DeviceInfo& info) {
  return info.tuning.subgroup > 0 ? info.tuning.subgroup : info.limits.subgroup_min;
}

std::vector<std::uint32_t> subgroup_sizes(const Limits& limits) {
  constexpr std::uint64_t largest_workgroup = 256;
  std::vector<std::uint32_t> sizes;
  if (!limits.sized_subgroups) return sizes;
  for (std::uint32_t size = limits.subgroup_min; size > 0 && size <= limits.subgroup_max; size *= 2)
    if (std::uint64_t{size} * limits.max_subgroups >= largest_workgroup) sizes.push_back(size);
  return sizes;
}

std::string_view tier_of(const Features& f) {
  if (f.coopmat2) return "coopmat2";
  if (f.coopmat) return "coopmat";
  if (f.int_dot) return "int-dot";
  if (f.bf16) return "bf16";
  if (f.fp16) return "fp16";
  return f.storage16 && f.storage8 ? "storage" : "minimum";
}

std::vector<DeviceInfo> list_devices() {
  const VkInstance loaded = instance();  // first: it loads the functions called below
  std::uint32_t count = 0;
  check(vkEnumeratePhysicalDevices(loaded, &count, nullptr), "vkEnumeratePhysicalDevices");
  std::vector<VkPhysicalDevice> handles(count);
  check(vkEnumeratePhysicalDevices(loaded, &count, handles.data()), "vkEnumeratePhysicalDevices");
  handles.resize(count);
  std::vector<DeviceInfo> devices;
  for (VkPhysicalDevice handle : handles) devices.push_back(describe(handle));
  std::stable_sort(devices.begin(), devices.end(),
                   [](const DeviceInfo& a, const DeviceInfo& b) { return rank(a.type) < rank(b.type); });
  for (std::uint32_t i = 0; i < devices.size(); ++i) devices[i].index = i;
  return devices;
}

DeviceInfo choose_device(const std::string& which, const std::string& disabled) {
  auto devices = list_devices();
  require(!devices.empty(),
          "no Vulkan device found; install a driver, on Debian: apt-get install mesa-vulkan-drivers");
  std::size_t chosen = 0;
  if (!which.empty()) {
    const bool number =
        std::all_of(which.begin(), which.end(), [](unsigned char c) { return std::isdigit(c); });
    if (number) {
      const auto parsed = std::from_chars(which.data(), which.data() + which.size(), chosen);
      require(parsed.ec == std::errc{} && chosen < devices.size(),
              "device index {} is out of range: this machine has {} (0 to {}); see walsh devices", which,
              devices.size(), devices.size() - 1);
    } else {
      const auto found = std::find_if(devices.begin(), devices.end(), [&](const DeviceInfo& info) {
        return lower(info.name).find(lower(which)) != std::string::npos;
      });
      require(found != devices.end(), "no device is named like \"{}\"; see walsh devices", which);
      chosen = static_cast<std::size_t>(found - devices.begin());
    }
  }
  DeviceInfo info = devices[chosen];
  for (std::size_t at = 0; at < disabled.size();) {
    const std::size_t comma = std::min(disabled.find(',', at), disabled.size());
    const std::string name = disabled.substr(at, comma - at);
    const auto known = std::find_if(std::begin(feature_names), std::end(feature_names),
                                    [&](const FeatureName& feature) { return feature.name == name; });
    require(known != std::end(feature_names),
            "unknown feature \"{}\" in --disable; known: storage16 storage8 fp16 bf16 int64 int-dot coopmat "
            "coopmat2 subgroups",
            name);
    info.features.*(known->flag) = false;
    at = comma + 1;
  }
  require_minimum(info);
  apply_switches(info);
  return info;
}

}  // namespace walsh::vk

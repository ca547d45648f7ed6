#include "vk/device.h"

#include <volk.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "vk/cache_folder.h"
#include "vk/cooperative_matrix.h"
#include "vk/instance.h"
#include "vk/result.h"

namespace walsh::vk {
namespace {

std::uint32_t compute_family(const DeviceInfo& info) {
  std::uint32_t count = 0;
  vkGetPhysicalDeviceQueueFamilyProperties(info.handle, &count, nullptr);
  std::vector<VkQueueFamilyProperties> families(count);
  vkGetPhysicalDeviceQueueFamilyProperties(info.handle, &count, families.data());
  for (std::uint32_t i = 0; i < count; ++i) {
    if (families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) return i;
  }
  refuse("device {} ({}) has no compute queue; choose another with --device", info.index, info.name);
}

}  // namespace

Device::Device(DeviceInfo info, bool statistics)
    : info_(std::move(info)), statistics_(statistics), queue_family_(compute_family(info_)) {
  require(!statistics_ || info_.statistics,
          "device {} ({}): the driver has no VK_KHR_pipeline_executable_properties, so it tells nothing of "
          "what it "
          "compiles",
          info_.index, info_.name);
  const float priority = 1.0f;
  VkDeviceQueueCreateInfo queue_info{};
  queue_info.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO;
  queue_info.queueFamilyIndex = queue_family_;
  queue_info.queueCount = 1;
  queue_info.pQueuePriorities = &priority;

  VkPhysicalDeviceVulkan13Features v13{};
  v13.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES;
  v13.synchronization2 = VK_TRUE;
  v13.maintenance4 = VK_TRUE;
  v13.subgroupSizeControl = VK_TRUE;
  v13.computeFullSubgroups = VK_TRUE;
  VkPhysicalDeviceVulkan12Features v12{};
  v12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES;
  v12.pNext = &v13;
  v12.timelineSemaphore = VK_TRUE;
  v12.storageBuffer8BitAccess = info_.features.storage8;
  v12.shaderFloat16 = info_.features.fp16;
  v12.vulkanMemoryModel = info_.features.coopmat;
  VkPhysicalDeviceVulkan11Features v11{};
  v11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES;
  v11.pNext = &v12;
  v11.storageBuffer16BitAccess = info_.features.storage16;
  VkPhysicalDeviceFeatures2 features{};
  features.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  features.pNext = &v11;
  features.features.shaderInt64 = info_.features.int64;

  VkDeviceCreateInfo device_info{};
  device_info.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO;
  device_info.pNext = &features;
  device_info.queueCreateInfoCount = 1;
  device_info.pQueueCreateInfos = &queue_info;
  VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executables{};
  executables.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR;
  executables.pipelineExecutableInfo = VK_TRUE;
  VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrices{};
  matrices.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR;
  matrices.cooperativeMatrix = VK_TRUE;
  VkPhysicalDeviceShaderBfloat16FeaturesKHR bfloat16{};
  bfloat16.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR;
  bfloat16.shaderBFloat16Type = VK_TRUE;
  bfloat16.shaderBFloat16CooperativeMatrix = VK_TRUE;
  std::vector<const char*> extensions;
  const auto enable = [&](const char* extension, auto& extension_features) {
    extensions.push_back(extension);
    extension_features.pNext = v13.pNext;
    v13.pNext = &extension_features;
  };
  if (statistics_) enable(VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME, executables);
  if (info_.features.coopmat) enable(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME, matrices);
  if (info_.features.coopmat && info_.features.bf16 && info_.matrices.bf16)
    enable(VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME, bfloat16);
  device_info.enabledExtensionCount = static_cast<std::uint32_t>(extensions.size());
  device_info.ppEnabledExtensionNames = extensions.data();
  check(vkCreateDevice(info_.handle, &device_info, nullptr, &device_), "vkCreateDevice");
  volkLoadDevice(device_);
  vkGetDeviceQueue(device_, queue_family_, 0, &queue_);

  VkSemaphoreTypeCreateInfo type{};
  type.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO;
  type.semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE;
  VkSemaphoreCreateInfo semaphore{};
  semaphore.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO;
  semaphore.pNext = &type;
  check(vkCreateSemaphore(device_, &semaphore, nullptr, &timeline_), "vkCreateSemaphore");
  VkCommandPoolCreateInfo pool{};
  pool.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
  pool.flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT;
  pool.queueFamilyIndex = queue_family_;
  check(vkCreateCommandPool(device_, &pool, nullptr, &transfer_pool_), "vkCreateCommandPool");
  load_pipeline_cache();
}

Device::~Device() {
  vkDeviceWaitIdle(device_);
  staging_arena_.reset();
  save_pipeline_cache();
  kernels_.clear();
  vkDestroyPipelineCache(device_, pipeline_cache_, nullptr);
  vkDestroyCommandPool(device_, transfer_pool_, nullptr);
  vkDestroySemaphore(device_, timeline_, nullptr);
  vkDestroyDevice(device_, nullptr);
}

const Kernel& Device::kernel(std::string_view module, std::span<const std::uint32_t> constants) {
  std::string key(module);
  for (const std::uint32_t constant : constants) key += fmt::format(",{}", constant);
  const auto found = kernels_.find(key);
  if (found != kernels_.end()) return *found->second;
  auto kernel =
      std::make_unique<Kernel>(device_, pipeline_cache_, find_module(module), constants, info_, statistics_);
  return *kernels_.emplace(std::move(key), std::move(kernel)).first->second;
}

std::vector<const Kernel*> Device::kernels() const {
  std::vector<const Kernel*> list;
  for (const auto& [key, kernel] : kernels_) list.push_back(kernel.get());
  return list;
}

// The driver checks a cache's header (vendor, device, driver build) itself and starts empty when it does not
// fit.
void Device::load_pipeline_cache() {
  std::string bytes;
  const auto folder = cache_folder();
  const auto path = folder / ("pipelines-" + info_.cache_key);
  // A kernel that comes from a cache has no statistics.
  if (!statistics_ && !folder.empty() && std::filesystem::is_regular_file(path)) bytes = read_text(path);
  VkPipelineCacheCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO;
  info.initialDataSize = bytes.size();
  info.pInitialData = bytes.data();
  if (vkCreatePipelineCache(device_, &info, nullptr, &pipeline_cache_) != VK_SUCCESS) {
    info.initialDataSize = 0;
    check(vkCreatePipelineCache(device_, &info, nullptr, &pipeline_cache_), "vkCreatePipelineCache");
  }
  loaded_cache_bytes_ = bytes.size();
}

// Failing to keep a cache costs only time later, so nothing is reported.
void Device::save_pipeline_cache() {
  const auto folder = cache_folder();
  std::size_t size = 0;
  if (statistics_ || folder.empty() ||
      vkGetPipelineCacheData(device_, pipeline_cache_, &size, nullptr) != VK_SUCCESS)
    return;
  if (size <= loaded_cache_bytes_) return;
  std::vector<std::byte> bytes(size);
  if (vkGetPipelineCacheData(device_, pipeline_cache_, &size, bytes.data()) != VK_SUCCESS) return;
  try {
    std::filesystem::create_directories(folder);
    write_file(folder / ("pipelines-" + info_.cache_key), std::span<const std::byte>(bytes.data(), size));
  } catch (const std::exception&) {
  }
}

}  // namespace walsh::vk

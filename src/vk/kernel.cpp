#include "vk/kernel.h"

#include <volk.h>

#include <algorithm>
#include <vector>

#include "vk/instance.h"
#include "vk/module_features.h"
#include "vk/result.h"

namespace walsh::vk {

const Module& find_module(std::string_view name) {
  const auto all = modules();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Module& module) { return module.name == name; });
  require(found != all.end(), "kernel {} is not in this build", name);
  return *found;
}

Kernel::Kernel(VkDevice device, VkPipelineCache cache, const Module& module,
               std::span<const std::uint32_t> constants, const DeviceInfo& device_info, bool statistics)
    : device_(device),
      name_(module.name),
      constants_(constants.begin(), constants.end()),
      interface_(reflect(module.name, module.spirv)),
      statistics_(statistics) {
  require(constants.size() <= interface_.constant_ids.size(),
          "kernel {}: {} specialization constants given, it declares {}", name_, constants.size(),
          interface_.constant_ids.size());
  std::vector<VkSpecializationMapEntry> entries;
  for (std::uint32_t id = 0; id < constants.size(); ++id) {
    require(interface_.constant_ids[id] == id, "kernel {}: specialization constant {} is not declared", name_,
            id);
    entries.push_back({.constantID = id, .offset = id * 4, .size = 4});
  }
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto id = interface_.local_size_id[axis];
    if (id >= 0 && static_cast<std::size_t>(id) < constants.size()) {
      interface_.local_size[axis] = constants[static_cast<std::size_t>(id)];
    }
  }
  const Limits& limits = device_info.limits;
  const std::uint64_t invocations =
      std::uint64_t{interface_.local_size[0]} * interface_.local_size[1] * interface_.local_size[2];
  require(invocations <= limits.max_invocations,
          "kernel {}: a workgroup of {} invocations, the device allows {}", name_, invocations,
          limits.max_invocations);

  std::vector<VkDescriptorSetLayoutBinding> bindings;
  for (std::uint32_t i = 0; i < interface_.bindings.size(); ++i) {
    const auto type = interface_.bindings[i].kind == BindingKind::storage
                          ? VK_DESCRIPTOR_TYPE_STORAGE_BUFFER
                          : VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER;
    bindings.push_back({i, type, 1, VK_SHADER_STAGE_COMPUTE_BIT, nullptr});
  }
  VkDescriptorSetLayoutCreateInfo set_info{};
  set_info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO;
  set_info.bindingCount = static_cast<std::uint32_t>(bindings.size());
  set_info.pBindings = bindings.data();
  check(vkCreateDescriptorSetLayout(device_, &set_info, nullptr, &set_layout_),
        "vkCreateDescriptorSetLayout");

  const VkPushConstantRange push{VK_SHADER_STAGE_COMPUTE_BIT, 0, interface_.push_bytes};
  VkPipelineLayoutCreateInfo layout_info{};
  layout_info.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO;
  layout_info.setLayoutCount = 1;
  layout_info.pSetLayouts = &set_layout_;
  layout_info.pushConstantRangeCount = interface_.push_bytes > 0 ? 1 : 0;
  layout_info.pPushConstantRanges = &push;
  check(vkCreatePipelineLayout(device_, &layout_info, nullptr, &layout_), "vkCreatePipelineLayout");

  VkShaderModuleCreateInfo module_info{};
  module_info.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO;
  module_info.codeSize = module.spirv.size_bytes();
  module_info.pCode = module.spirv.data();
  VkShaderModule shader = VK_NULL_HANDLE;
  check(vkCreateShaderModule(device_, &module_info, nullptr, &shader), "vkCreateShaderModule");
  const VkSpecializationInfo specialization{static_cast<std::uint32_t>(entries.size()), entries.data(),
                                            constants.size_bytes(), constants.data()};
  VkComputePipelineCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO;
  info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
  info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
  info.stage.module = shader;
  info.stage.pName = "main";
  info.stage.pSpecializationInfo = &specialization;
  info.layout = layout_;
  VkPipelineShaderStageRequiredSubgroupSizeCreateInfo required{};
  required.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO;
  required.requiredSubgroupSize = subgroup_size(device_info);
  const bool by_subgroups = features_of(module.spirv).subgroups;
  if (by_subgroups) info.stage.flags = VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT;
  if (device_info.tuning.subgroup > 0 || (by_subgroups && limits.subgroup_min < limits.subgroup_max))
    info.stage.pNext = &required;
  info.flags = VK_PIPELINE_CREATE_DISPATCH_BASE_BIT;  // long dispatches are cut: vk/recording.h
  if (statistics_) info.flags |= VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR;
  const VkResult created = vkCreateComputePipelines(device_, cache, 1, &info, nullptr, &pipeline_);
  vkDestroyShaderModule(device_, shader, nullptr);
  check(created, fmt::format("compiling kernel {}", name_));
  if (validation_enabled()) {
    VkDebugUtilsObjectNameInfoEXT label{};
    label.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT;
    label.objectType = VK_OBJECT_TYPE_PIPELINE;
    label.objectHandle = reinterpret_cast<std::uint64_t>(pipeline_);
    label.pObjectName = name_.c_str();
    vkSetDebugUtilsObjectNameEXT(device_, &label);
  }
}

Kernel::~Kernel() {
  vkDestroyPipeline(device_, pipeline_, nullptr);
  vkDestroyPipelineLayout(device_, layout_, nullptr);
  vkDestroyDescriptorSetLayout(device_, set_layout_, nullptr);
}

KernelStatistics Kernel::statistics() const {
  KernelStatistics result;
  if (!statistics_) return result;
  VkPipelineInfoKHR pipeline_info{};
  pipeline_info.sType = VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR;
  pipeline_info.pipeline = pipeline_;
  std::uint32_t executables = 0;
  check(vkGetPipelineExecutablePropertiesKHR(device_, &pipeline_info, &executables, nullptr),
        "vkGetPipelineExecutablePropertiesKHR");
  for (std::uint32_t index = 0; index < executables; ++index) {
    VkPipelineExecutableInfoKHR info{};
    info.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR;
    info.pipeline = pipeline_;
    info.executableIndex = index;
    std::uint32_t count = 0;
    check(vkGetPipelineExecutableStatisticsKHR(device_, &info, &count, nullptr),
          "vkGetPipelineExecutableStatisticsKHR");
    std::vector<VkPipelineExecutableStatisticKHR> statistics(count);
    for (auto& statistic : statistics) statistic.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
    check(vkGetPipelineExecutableStatisticsKHR(device_, &info, &count, statistics.data()),
          "vkGetPipelineExecutableStatisticsKHR");
    for (const auto& statistic : statistics) {
      const auto& value = statistic.value;
      double number = 0;
      switch (statistic.format) {
        case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR:
          number = value.b32;
          break;
        case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR:
          number = static_cast<double>(value.i64);
          break;
        case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR:
          number = static_cast<double>(value.u64);
          break;
        default:
          number = value.f64;
      }
      result.emplace_back(statistic.name, number);
    }
  }
  return result;
}

}  // namespace walsh::vk

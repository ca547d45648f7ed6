// A compute pipeline whose interface was read from its SPIR-V.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vk/device_info.h"
#include "vk/handles.h"
#include "vk/modules.h"
#include "vk/reflect.h"

namespace walsh::vk {

/// The module of that name; refuses an unknown one.
const Module& find_module(std::string_view name);

/// What a driver's compiler says of a kernel, under the driver's own names: registers, spills, code size ...
using KernelStatistics = std::vector<std::pair<std::string, double>>;

class Kernel {
 public:
  /// Builds the pipeline; with `statistics` the driver keeps what its compiler has to say. A module that
  /// works by subgroups gets full ones. Refuses by name: more constants than the module declares, a
  /// workgroup beyond the device.
  Kernel(VkDevice device, VkPipelineCache cache, const Module& module,
         std::span<const std::uint32_t> constants, const DeviceInfo& info, bool statistics = false);
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  ~Kernel();

  const std::string& name() const { return name_; }
  const ModuleInterface& interface() const { return interface_; }
  const std::array<std::uint32_t, 3>& local_size() const { return interface_.local_size; }
  VkPipeline pipeline() const { return pipeline_; }
  VkPipelineLayout layout() const { return layout_; }
  VkDescriptorSetLayout set_layout() const { return set_layout_; }
  const std::vector<std::uint32_t>& constants() const { return constants_; }

  /// Empty unless the kernel was built for it.
  KernelStatistics statistics() const;

 private:
  VkDevice device_;
  std::string name_;
  std::vector<std::uint32_t> constants_;
  ModuleInterface interface_;
  bool statistics_;
  VkDescriptorSetLayout set_layout_ = nullptr;
  VkPipelineLayout layout_ = nullptr;
  VkPipeline pipeline_ = nullptr;
};

}  // namespace walsh::vk

#include "compile_only.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "kernel_case.h"
#include "show.h"
#include "vk/matrices.h"
#include "vk/modules.h"

namespace walsh {
namespace {

/// A module with its specialization constants and the subgroup size that it was given, 0 for the driver's
/// choice.
using KernelKey = std::tuple<std::string, std::vector<std::uint32_t>, std::uint32_t>;

// Recording builds the pipelines; the recordings are dropped.
void build_kernels(const vk::DeviceInfo& info, std::map<KernelKey, vk::KernelStatistics>& found,
                   vk::Precision operands) {
  vk::Device device(info, true);
  for (const auto& op : registered_ops()) {
    TensorStore store(device);
    for (const auto& kernel : op.factory(store, CaseSize::check)) {
      if (operands != vk::Precision::fp32 && !kernel.products) continue;
      vk::Recorder recorder(device, false, operands);
      kernel.record(recorder);
      recorder.finish();
    }
  }
  for (const vk::Kernel* kernel : device.kernels())
    found.emplace(KernelKey{kernel->name(), kernel->constants(), info.tuning.subgroup}, kernel->statistics());
}

void build_all(const vk::DeviceInfo& info, std::map<KernelKey, vk::KernelStatistics>& found) {
  for (const vk::Precision operands : {vk::Precision::fp32, vk::Precision::fp16, vk::Precision::bf16}) {
    if (operands != vk::Precision::fp32 && !vk::matrix_shape(info, operands)) continue;
    build_kernels(info, found, operands);
    if (info.tuning.lane_by_lane) continue;
    vk::DeviceInfo large = info;
    large.tuning.large_tile_results = 0;
    build_kernels(large, found, operands);
  }
}

}  // namespace

void compile_only(const Globals& globals) {
  const vk::DeviceInfo info = vk::choose_device(globals.device, globals.disable);
  std::map<KernelKey, vk::KernelStatistics> found;
  build_all(info, found);
  if (const auto sizes = vk::subgroup_sizes(info.limits); sizes.size() > 1) {
    for (const std::uint32_t size : sizes) {
      vk::DeviceInfo sized = info;
      sized.tuning.subgroup = size;
      build_all(sized, found);
    }
  }

  OrderedJson kernels = OrderedJson::array();
  std::set<std::string> built, absent;
  for (const auto& [key, statistics] : found) {
    const auto& [name, constants, subgroup] = key;
    built.insert(name);
    OrderedJson values = OrderedJson::object();
    std::string line = fmt::format("{} {{{}}}{}:", name, fmt::join(constants, ","),
                                   subgroup > 0 ? fmt::format(" in subgroups of {}", subgroup) : "");
    for (const auto& [what, value] : statistics) {
      values[what] = value;
      line += fmt::format(" {} {};", what, value);
    }
    show(globals, line);
    kernels.push_back(
        {{"name", name}, {"constants", constants}, {"subgroup", subgroup}, {"statistics", values}});
  }
  for (const vk::Module& module : vk::modules())
    if (!built.contains(std::string(module.name))) absent.insert(std::string(module.name));
  show(globals, fmt::format("{} kernels compiled for {} ({}); not chosen there: {}", kernels.size(),
                            info.name, info.driver, fmt::join(absent, " ")));
  print_json(globals, {{"device", info.name},
                       {"driver", info.driver},
                       {"api", info.api},
                       {"type", vk::name_of(info.type)},
                       {"subgroup_min", info.limits.subgroup_min},
                       {"subgroup_max", info.limits.subgroup_max},
                       {"tier", vk::tier_of(info.features)},
                       {"features", vk::names_of(info.features)},
                       {"quirks", info.quirks},
                       {"kernels", kernels},
                       {"not_chosen", absent}});
}

}  // namespace walsh

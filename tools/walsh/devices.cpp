// walsh devices: what Vulkan offers here.
#include "cli.h"
#include "show.h"
#include "vk/device_info.h"
#include "vk/quirks.h"

namespace walsh {
namespace {

std::string joined(const std::vector<std::string>& words) {
  return words.empty() ? "none" : fmt::format("{}", fmt::join(words, " "));
}

// As products multiply it, whether or not a run does; empty: not offered with fp32 sums.
std::string size_of(const vk::MatrixShape& shape) {
  return shape ? fmt::format("{}x{}x{}", shape.m, shape.n, shape.k) : "";
}

OrderedJson describe(const vk::DeviceInfo& info) {
  const auto& limits = info.limits;
  return {{"index", info.index},
          {"name", info.name},
          {"type", vk::name_of(info.type)},
          {"driver", info.driver},
          {"api", info.api},
          {"subgroup_min", limits.subgroup_min},
          {"subgroup_max", limits.subgroup_max},
          {"features", vk::names_of(info.features)},
          {"tier", vk::tier_of(info.features)},
          {"matrices", {{"fp16", size_of(info.matrices.fp16)}, {"bf16", size_of(info.matrices.bf16)}}},
          {"quirks", info.quirks},
          {"tells_statistics", info.statistics},
          {"memory_bytes", info.memory_bytes},
          {"memory_free_bytes", info.memory_free_bytes},
          {"limits",
           {{"storage_range_bytes", limits.max_storage_range},
            {"storage_alignment_bytes", limits.storage_alignment},
            {"allocation_bytes", limits.max_allocation},
            {"workgroup_invocations", limits.max_invocations},
            {"workgroup_shared_bytes", limits.max_shared_bytes},
            {"push_constant_bytes", limits.max_push_bytes}}}};
}

void show_device(const Globals& globals, const vk::DeviceInfo& info, bool chosen) {
  const auto mebibytes = [](std::uint64_t bytes) { return bytes >> 20; };
  show(globals,
       fmt::format("{} {}  {} ({})", chosen ? '*' : ' ', info.index, info.name, vk::name_of(info.type)));
  show(globals, fmt::format("      driver {}, Vulkan {}", info.driver, info.api));
  show(globals, fmt::format("      memory {} MiB, {} MiB free; {} MiB a binding, {} MiB an allocation",
                            mebibytes(info.memory_bytes), mebibytes(info.memory_free_bytes),
                            mebibytes(info.limits.max_storage_range), mebibytes(info.limits.max_allocation)));
  show(globals, fmt::format("      workgroups of {}, {} KiB shared; subgroups of {} to {}",
                            info.limits.max_invocations, info.limits.max_shared_bytes >> 10,
                            info.limits.subgroup_min, info.limits.subgroup_max));
  show(globals, fmt::format("      tier {}; features {}", vk::tier_of(info.features),
                            joined(vk::names_of(info.features))));
  if (const auto& matrices = info.matrices; matrices.fp16 || matrices.bf16)
    show(globals,
         fmt::format("      matrices fp16 {}, bf16 {}", matrices.fp16 ? size_of(matrices.fp16) : "none",
                     matrices.bf16 ? size_of(matrices.bf16) : "none"));
  for (const vk::Quirk& quirk : vk::quirk_table()) {
    if (vk::holds(quirk, info)) show(globals, fmt::format("      quirk {}: {}", quirk.name, quirk.remedy));
  }
}

void list(const Globals& globals) {
  auto devices = vk::list_devices();
  // Also refuses a machine without devices. A device below the minimum is listed all the same when it is the
  // first.
  const bool asked = !globals.device.empty() || !globals.disable.empty() || devices.empty();
  const vk::DeviceInfo chosen = asked ? vk::choose_device(globals.device, globals.disable) : devices.front();
  devices[chosen.index] = chosen;
  OrderedJson entries = OrderedJson::array();
  for (const auto& info : devices) {
    entries.push_back(describe(info));
    show_device(globals, info, info.index == chosen.index);
  }
  if (!globals.quiet) show(globals, "* is used unless --device says otherwise");
  print_json(globals, {{"devices", entries}, {"chosen", chosen.index}});
}

}  // namespace

void add_devices(CLI::App& app, Globals& globals) {
  CLI::App* command = app.add_subcommand("devices", "Lists devices, drivers, features and limits");
  command->footer("Example: walsh devices --json");
  add_globals(*command, globals);
  command->callback([&globals] { list(globals); });
}

}  // namespace walsh

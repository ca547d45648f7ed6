#include "vk/quirks.h"

#include <vulkan/vulkan_core.h>

namespace walsh::vk {
namespace {

void read_through_texels(DeviceInfo& info) {
  info.tuning.lane_by_lane = true;
  // llvmpipe writes a product of 8 x 8 x 8 out as some hundred instructions: GPUs' tiles take minutes to
  // compile.
  info.tuning.matrix_sums = 16;
  info.tuning.matrix_depth = 16;
}
void without_matrices(DeviceInfo& info) { info.features.coopmat = info.features.coopmat2 = false; }

constexpr Quirk table[] = {
    {.name = "lane-by-lane",
     .only_cpu = true,
     .apply = read_through_texels,
     .what = "CPU drivers load and store buffers and shared memory lane by lane, and gather texel buffers",
     .remedy = "kernels with large register tiles, operands through texel buffers, nothing staged",
     .source =
         "measured on lavapipe, Mesa 22.3: an access is as dear as 50 vector additions, a texel fetch ten "
         "times cheaper"},
    {.name = "emulated-matrices",
     .driver_id = VK_DRIVER_ID_MESA_RADV,
     .device = "NAVI2",
     .apply = without_matrices,
     .what = "RADV emulates cooperative matrices on RDNA2, which has no such unit",
     .remedy = "products without them",
     .source = "reported by others, untried here; RADV of Mesa 26 does not offer them there unasked"},
    {.name = "false-matrices",
     .driver_id = VK_DRIVER_ID_AMD_PROPRIETARY,
     .device = "RX 6",
     .apply = without_matrices,
     .what = "AMD's own driver has offered cooperative matrices on RDNA2 parts, which have no such unit",
     .remedy = "products without them",
     .source = "reported by others, untried here"},
    {.name = "slow-matrices",
     .driver_id = VK_DRIVER_ID_INTEL_OPEN_SOURCE_MESA,
     .device = "Arc(tm) A",
     .apply = without_matrices,
     .what = "Intel's Xe1 discrete parts run products slower with cooperative matrices than without",
     .remedy = "products without them",
     .source = "reported by others, untried here"},
};

}  // namespace

std::span<const Quirk> quirk_table() { return table; }

bool holds(const Quirk& quirk, const DeviceInfo& info) {
  return (quirk.vendor_id == 0 || quirk.vendor_id == info.vendor_id) &&
         (quirk.driver_id == 0 || quirk.driver_id == info.driver_id) &&
         info.name.find(quirk.device) != std::string::npos && quirk.first_version <= info.driver_version &&
         info.driver_version <= quirk.last_version && (!quirk.only_cpu || info.type == DeviceType::cpu);
}

void apply_quirks(DeviceInfo& info, std::span<const Quirk> rows) {
  for (const Quirk& quirk : rows) {
    if (!holds(quirk, info)) continue;
    quirk.apply(info);
    info.quirks.push_back(quirk.name);
  }
}

}  // namespace walsh::vk

#include "vk/matrices.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "vk/cooperative_matrix.h"
#include "vk/instance.h"
#include "vk/modules.h"
#include "vk/result.h"

namespace walsh::vk {
namespace {

std::string_view obstacle(const DeviceInfo& info, Precision precision) {
  const bool half = precision == Precision::fp16;
  const Features& features = info.features;
  const MatrixShape& offered = half ? info.matrices.fp16 : info.matrices.bf16;
  if (!features.coopmat || !features.subgroups) return "the device has no cooperative matrices";
  if (!(half ? features.fp16 : features.bf16) || offered.m == 0)
    return half ? "the device multiplies no fp16 matrices with fp32 sums"
                : "the device multiplies no bf16 matrices with fp32 sums";
  if (info.tuning.lane_by_lane) return "a CPU driver is faster without cooperative matrices";
  const auto all = modules();
  const std::string_view built = half ? "matmul_forward_coopmat.f16" : "matmul_forward_coopmat.bf16";
  if (std::none_of(all.begin(), all.end(), [&](const Module& module) { return module.name == built; }))
    return "this build has no such kernels: its shader compiler was too old";
  return {};
}

}  // namespace

MatrixShape matrix_shape(const DeviceInfo& info, Precision precision) {
  if (precision == Precision::fp32 || !obstacle(info, precision).empty()) return {};
  return precision == Precision::fp16 ? info.matrices.fp16 : info.matrices.bf16;
}

std::string_view why_no_matrices(const DeviceInfo& info, Precision precision) {
  return precision == Precision::fp32 ? "fp32 was asked for" : obstacle(info, precision);
}

void read_matrices(DeviceInfo& info, bool bfloat16) {
  const auto query = reinterpret_cast<PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR>(
      vkGetInstanceProcAddr(instance(), "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR"));
  if (!query) return;  // a loader that knows no functions newer than itself
  std::uint32_t count = 0;
  check(query(info.handle, &count, nullptr), "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
  VkCooperativeMatrixPropertiesKHR empty{};
  empty.sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR;
  std::vector<VkCooperativeMatrixPropertiesKHR> offers(count, empty);
  check(query(info.handle, &count, offers.data()), "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
  offers.resize(count);
  const auto larger = [](const MatrixShape& a, const MatrixShape& b) {
    return std::tuple(a.m * a.n, a.k) > std::tuple(b.m * b.n, b.k);
  };
  for (const auto& offer : offers) {
    if (offer.scope != VK_SCOPE_SUBGROUP_KHR || offer.saturatingAccumulation || offer.AType != offer.BType ||
        offer.CType != VK_COMPONENT_TYPE_FLOAT32_KHR || offer.ResultType != VK_COMPONENT_TYPE_FLOAT32_KHR)
      continue;
    // Kernels move operands in runs of eight and tiles of 16 to 128.
    const MatrixShape shape{offer.MSize, offer.NSize, offer.KSize};
    const auto fits = [](std::uint32_t extent) { return extent == 8 || extent == 16 || extent == 32; };
    if (!fits(shape.m) || !fits(shape.n) || !fits(shape.k)) continue;
    const auto keep_larger = [&](MatrixShape& best) {
      if (larger(shape, best)) best = shape;
    };
    if (offer.AType == VK_COMPONENT_TYPE_FLOAT16_KHR) keep_larger(info.matrices.fp16);
    if (bfloat16 && offer.AType == VK_COMPONENT_TYPE_BFLOAT16_KHR) keep_larger(info.matrices.bf16);
  }
}

}  // namespace walsh::vk

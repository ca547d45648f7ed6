// When products run on matrix units: the one rule, on devices made up for it.
#include "vk/matrices.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "vk/modules.h"
#include "vk/quirks.h"

namespace walsh::vk {
namespace {

DeviceInfo gpu() {
  DeviceInfo info;
  info.type = DeviceType::discrete;
  info.features.coopmat = info.features.subgroups = info.features.fp16 = info.features.bf16 = true;
  info.matrices.fp16 = info.matrices.bf16 = {16, 16, 16};
  return info;
}

bool built(std::string_view module) {
  const auto all = modules();
  return std::any_of(all.begin(), all.end(), [&](const Module& m) { return m.name == module; });
}

TEST(matrices, are_used_where_device_and_build_have_them) {
  const DeviceInfo info = gpu();
  EXPECT_FALSE(matrix_shape(info, Precision::fp32));
  for (const auto& [precision, module] : {std::pair{Precision::fp16, "matmul_forward_coopmat.f16"},
                                          {Precision::bf16, "matmul_forward_coopmat.bf16"}}) {
    EXPECT_EQ(static_cast<bool>(matrix_shape(info, precision)), built(module));
    EXPECT_EQ(why_no_matrices(info, precision).empty(), built(module));
  }
}

TEST(matrices, are_left_where_anything_is_missing) {
  const auto expect_none = [](DeviceInfo info, Precision precision, std::string_view why) {
    EXPECT_FALSE(matrix_shape(info, precision));
    EXPECT_EQ(why_no_matrices(info, precision), why);
  };
  for (bool Features::*flag : {&Features::coopmat, &Features::subgroups}) {
    DeviceInfo info = gpu();
    info.features.*flag = false;  // as --disable does
    expect_none(info, Precision::fp16, "the device has no cooperative matrices");
    expect_none(info, Precision::bf16, "the device has no cooperative matrices");
  }
  DeviceInfo info = gpu();
  info.features.fp16 = false;
  expect_none(info, Precision::fp16, "the device multiplies no fp16 matrices with fp32 sums");
  info = gpu();
  info.features.bf16 = false;
  expect_none(info, Precision::bf16, "the device multiplies no bf16 matrices with fp32 sums");
  info = gpu();
  info.matrices.bf16 = {};
  expect_none(info, Precision::bf16, "the device multiplies no bf16 matrices with fp32 sums");
  info = gpu();
  info.tuning.lane_by_lane = true;
  expect_none(info, Precision::fp16, "a CPU driver is faster without cooperative matrices");
  info = gpu();
  info.driver_id = 3;  // RADV
  info.name = "AMD Radeon RX 6800 (RADV NAVI21)";
  apply_quirks(info);
  expect_none(info, Precision::fp16, "the device has no cooperative matrices");
}

}  // namespace
}  // namespace walsh::vk

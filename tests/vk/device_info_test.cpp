#include "vk/device_info.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "ops/matmul.h"
#include "tests/support/gpu.h"

namespace walsh::vk {
namespace {

std::string refusal(const std::string& which, const std::string& disabled = {}) {
  try {
    choose_device(which, disabled);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(device_info, devices_are_numbered_with_cpu_drivers_last) {
  const auto devices = list_devices();
  ASSERT_FALSE(devices.empty());
  bool cpu = false;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    EXPECT_EQ(devices[i].index, i);
    EXPECT_FALSE(devices[i].name.empty());
    EXPECT_GT(devices[i].memory_bytes, 0u);
    EXPECT_LE(devices[i].memory_free_bytes, devices[i].memory_bytes);
    EXPECT_FALSE(cpu && devices[i].type != DeviceType::cpu) << "a GPU after a CPU driver";
    cpu = cpu || devices[i].type == DeviceType::cpu;
    EXPECT_GT(devices[i].limits.storage_alignment, 0u);
    EXPECT_LE(devices[i].limits.storage_alignment, 256u);
  }
}

TEST(device_info, chosen_by_index_or_part_of_a_name) {
  const auto first = choose_device("");
  EXPECT_EQ(first.index, 0u);
  EXPECT_EQ(choose_device("0").name, first.name);
  std::string part = first.name.substr(0, first.name.size() / 2 + 1);
  std::transform(part.begin(), part.end(), part.begin(), [](unsigned char c) { return std::toupper(c); });
  EXPECT_EQ(choose_device(part).name, first.name);
}

TEST(device_info, refusals_are_one_line) {
  const std::size_t count = list_devices().size();
  EXPECT_EQ(refusal(std::to_string(count)),
            fmt::format("device index {} is out of range: this machine has {} (0 to {}); see walsh devices",
                        count, count, count - 1));
  EXPECT_EQ(
      refusal("99999999999999999999999"),
      fmt::format("device index 99999999999999999999999 is out of range: this machine has {} (0 to {}); see "
                  "walsh devices",
                  count, count - 1));
  EXPECT_EQ(refusal("no such device"), "no device is named like \"no such device\"; see walsh devices");
  EXPECT_EQ(refusal("-1"), "no device is named like \"-1\"; see walsh devices");
  EXPECT_EQ(refusal("", "fp16,warp"),
            "unknown feature \"warp\" in --disable; known: storage16 storage8 fp16 bf16 int64 int-dot "
            "coopmat coopmat2 "
            "subgroups");
}

TEST(device_info, features_are_switched_off_by_name) {
  const auto all = names_of(choose_device("").features);
  for (const std::string& name : all) {
    const auto left = names_of(choose_device("", name).features);
    EXPECT_EQ(left.size(), all.size() - 1) << name;
    EXPECT_EQ(std::count(left.begin(), left.end(), name), 0) << name;
  }
  EXPECT_TRUE(
      names_of(
          choose_device("", "storage16,storage8,fp16,bf16,int64,int-dot,coopmat,coopmat2,subgroups").features)
          .empty());
}

TEST(subgroups, sizes_that_a_kernel_can_be_given) {
  Limits limits;
  limits.subgroup_min = 8;
  limits.subgroup_max = 32;
  limits.max_subgroups = 64;
  EXPECT_TRUE(subgroup_sizes(limits).empty()) << "the driver lets nobody choose";
  limits.sized_subgroups = true;
  EXPECT_EQ(subgroup_sizes(limits), (std::vector<std::uint32_t>{8, 16, 32}));
  limits.max_subgroups = 16;  // a workgroup of 256 has 32 subgroups of 8
  EXPECT_EQ(subgroup_sizes(limits), (std::vector<std::uint32_t>{16, 32}));
  limits.subgroup_max = 8;
  EXPECT_TRUE(subgroup_sizes(limits).empty());
}

TEST(subgroups, the_smallest_unless_a_size_is_asked_for) {
  DeviceInfo info;
  info.limits.subgroup_min = 32;
  info.limits.subgroup_max = 64;
  EXPECT_EQ(subgroup_size(info), 32u);
  info.tuning.subgroup = 64;
  EXPECT_EQ(subgroup_size(info), 64u);
}

TEST(subgroups, every_size_gives_the_same_bits) {
  const DeviceInfo chosen = test::device().info();
  const std::vector<std::uint32_t> sizes = subgroup_sizes(chosen.limits);
  if (sizes.empty()) GTEST_SKIP() << "this driver chooses subgroup sizes itself";
  const auto product = [](const DeviceInfo& info) {
    Device device(info);
    TensorStore store(device);
    const Tensor x = store.f32({20, 96}, normal(20 * 96, 1)), w = store.f32({48, 96}, normal(48 * 96, 2)),
                 y = store.empty({20, 48});
    run_once(device, [&](Recorder& rec) { matmul_forward(rec, y, x, w); });
    return store.read(y);
  };
  const std::vector<float> expected = product(chosen);
  for (const std::uint32_t size : sizes) {
    DeviceInfo sized = chosen;
    sized.tuning.subgroup = size;
    EXPECT_EQ(product(sized), expected) << size;
  }
}

}  // namespace
}  // namespace walsh::vk

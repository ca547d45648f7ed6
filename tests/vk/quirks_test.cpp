// The quirk table and the switches that make a device look poorer.
#include "vk/quirks.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "tests/support/gpu.h"
#include "tests/support/setting.h"
#include "vk/switches.h"

namespace walsh::vk {
namespace {

constexpr std::uint32_t radv = 3, amd_proprietary = 1, anv = 6;

DeviceInfo gpu(const char* name, std::uint32_t driver) {
  DeviceInfo info;
  info.name = name;
  info.type = DeviceType::discrete;
  info.driver_id = driver;
  info.features.coopmat = info.features.coopmat2 = info.features.fp16 = true;
  return info;
}

std::vector<std::string_view> names(DeviceInfo info) {
  apply_quirks(info);
  return info.quirks;
}

using Names = std::vector<std::string_view>;

TEST(quirks, hold_for_the_parts_that_they_name_only) {
  EXPECT_EQ(names(gpu("AMD Radeon RX 6800 (RADV NAVI21)", radv)), Names{"emulated-matrices"});
  EXPECT_EQ(names(gpu("AMD Radeon RX 7900 XTX (RADV NAVI31)", radv)), Names{});
  EXPECT_EQ(names(gpu("AMD Radeon RX 6800", amd_proprietary)), Names{"false-matrices"});
  EXPECT_EQ(names(gpu("AMD Radeon RX 7900 XTX", amd_proprietary)), Names{});
  EXPECT_EQ(names(gpu("Intel(R) Arc(tm) A770 Graphics (DG2)", anv)), Names{"slow-matrices"});
  EXPECT_EQ(names(gpu("Intel(R) Arc(tm) B580 Graphics (BMG G21)", anv)), Names{});
  DeviceInfo cpu = gpu("llvmpipe", 13);
  cpu.type = DeviceType::cpu;
  EXPECT_EQ(names(cpu), Names{"lane-by-lane"});
}

TEST(quirks, do_what_they_say) {
  DeviceInfo rdna2 = gpu("AMD Radeon RX 6800 (RADV NAVI21)", radv);
  apply_quirks(rdna2);
  EXPECT_EQ(tier_of(rdna2.features), "fp16");
  EXPECT_FALSE(rdna2.tuning.lane_by_lane);
  DeviceInfo cpu = gpu("a processor", 0);
  cpu.type = DeviceType::cpu;
  apply_quirks(cpu);
  EXPECT_TRUE(cpu.tuning.lane_by_lane);
  EXPECT_LT(cpu.tuning.matrix_sums, rdna2.tuning.matrix_sums);
  EXPECT_EQ(tier_of(cpu.features), "coopmat2");
}

TEST(quirks, hold_between_two_versions) {
  const Quirk table[] = {{.name = "old",
                          .vendor_id = 0x1234,
                          .first_version = 10,
                          .last_version = 20,
                          .apply = [](DeviceInfo& info) { info.features.fp16 = false; }}};
  DeviceInfo info = gpu("any", 0);
  info.vendor_id = 0x1234;
  for (const auto& [version, expected] : {std::pair{9u, false}, {10u, true}, {20u, true}, {21u, false}}) {
    info.driver_version = version;
    EXPECT_EQ(holds(table[0], info), expected) << version;
  }
  info.driver_version = 15;
  info.vendor_id = 0x1235;
  EXPECT_FALSE(holds(table[0], info));
  info.vendor_id = 0x1234;
  apply_quirks(info, table);
  EXPECT_FALSE(info.features.fp16);
  EXPECT_EQ(info.quirks, Names{"old"});
}

TEST(quirks, say_what_why_and_on_what_evidence) {
  std::set<std::string_view> seen;
  for (const Quirk& quirk : quirk_table()) {
    EXPECT_TRUE(seen.insert(quirk.name).second) << quirk.name;
    EXPECT_TRUE(quirk.apply) << quirk.name;
    for (const auto& text : {quirk.what, quirk.remedy, quirk.source})
      EXPECT_GT(text.size(), 10u) << quirk.name;
  }
}

TEST(tiers, name_the_richest_feature) {
  Features features;
  EXPECT_EQ(tier_of(features), "minimum");
  features.storage16 = true;
  EXPECT_EQ(tier_of(features), "minimum") << "8 bits are missing";
  features.storage8 = true;
  EXPECT_EQ(tier_of(features), "storage");
  features.fp16 = true;
  EXPECT_EQ(tier_of(features), "fp16");
  features.bf16 = true;
  EXPECT_EQ(tier_of(features), "bf16");
  features.int_dot = true;
  EXPECT_EQ(tier_of(features), "int-dot");
  features.coopmat = true;
  EXPECT_EQ(tier_of(features), "coopmat");
}

TEST(switches, make_a_device_poorer) {
  DeviceInfo info = gpu("any", 0);
  info.limits.max_storage_range = info.limits.max_allocation = std::uint64_t{1} << 32;
  const test::Setting kernels("WALSH_KERNELS", "cpu"), tiles("WALSH_LARGE_TILES", "1"),
      binding("WALSH_MAX_BINDING", "134217728"), allocation("WALSH_MAX_ALLOCATION", "99999999999999"),
      submission("WALSH_SUBMISSION_US", "50");
  apply_switches(info);
  EXPECT_TRUE(info.tuning.lane_by_lane);
  EXPECT_EQ(info.tuning.large_tile_results, 0u);
  EXPECT_EQ(info.limits.max_storage_range, std::uint64_t{1} << 27);
  EXPECT_EQ(info.limits.max_allocation, std::uint64_t{1} << 32) << "never richer than it is";
  EXPECT_DOUBLE_EQ(info.tuning.submission_seconds, 50e-6);
  const test::Setting other("WALSH_KERNELS", "gpu");
  apply_switches(info);
  EXPECT_FALSE(info.tuning.lane_by_lane);
}

TEST(switches, refuse_what_they_cannot_use) {
  for (const auto& [name, value] : {std::pair{"WALSH_KERNELS", "tpu"},
                                    {"WALSH_LARGE_TILES", "yes"},
                                    {"WALSH_MAX_BINDING", "0"},
                                    {"WALSH_MAX_BINDING", "1MiB"},
                                    {"WALSH_MAX_ALLOCATION", "-1"}}) {
    const test::Setting setting(name, value);
    DeviceInfo info;
    EXPECT_THROW(apply_switches(info), Error) << name << "=" << value;
  }
}

TEST(statistics, a_driver_that_tells_nothing_is_refused) {
  DeviceInfo info = test::device().info();
  info.statistics = false;
  EXPECT_THROW(Device(info, true), Error);
}

}  // namespace
}  // namespace walsh::vk

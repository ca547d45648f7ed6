#include "vk/module_features.h"

#include <gtest/gtest.h>

#include "vk/modules.h"

namespace walsh {
namespace {

constexpr std::uint32_t capability = 2u << 16 | 17;

TEST(module_features, are_read_from_the_capabilities) {
  // Header, Shader (1), Float16 (9), StorageBuffer16BitAccess (4433), then OpMemoryModel, after which none
  // comes.
  const std::uint32_t spirv[] = {0x07230203, 0x00010600, 0,          10,         0,    capability,
                                 1,          capability, 9,          capability, 4433, 3u << 16 | 14,
                                 0,          1,          capability, 11};
  EXPECT_EQ(vk::names_of(vk::features_of(spirv)), (std::vector<std::string>{"storage16", "fp16"}));
}

TEST(module_features, a_text_cut_short_is_not_read_beyond_its_end) {
  const std::uint32_t spirv[] = {0x07230203, 0x00010600, 0, 10, 0, capability};
  EXPECT_TRUE(vk::names_of(vk::features_of(spirv)).empty());
}

TEST(module_features, every_kernel_has_a_path_without_any) {
  // The minimum device runs every op, so there are kernels that ask for nothing.
  std::size_t plain = 0;
  for (const auto& module : vk::modules()) plain += vk::names_of(vk::features_of(module.spirv)).empty();
  EXPECT_GT(plain, 0u);
  EXPECT_TRUE(vk::names_of(vk::features_used({})).empty());
}

}  // namespace
}  // namespace walsh

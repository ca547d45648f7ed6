// Arenas and transfers.
#include "vk/memory.h"

#include <numeric>

#include "base/error.h"
#include "tests/support/gpu.h"

namespace walsh::vk {
namespace {

template <typename Act>
std::string refusal(Act&& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(arena, a_plan_needs_no_device) {
  Arena arena("plan", MemoryKind::device, 4096);
  const Slice a = arena.reserve(1), b = arena.reserve(257), c = arena.reserve(4096), d = arena.reserve(4097);
  EXPECT_EQ(a.size, 1u);
  EXPECT_EQ(a.offset, 0u);
  EXPECT_EQ(b.offset, 256u) << "aligned";
  EXPECT_EQ(b.block, a.block);
  EXPECT_NE(c.block, a.block) << "no room left in the first block";
  EXPECT_EQ(c.offset, 0u);
  EXPECT_NE(d.block, c.block) << "larger than a block: one of its own";
  EXPECT_EQ(arena.bytes(), 256u + 512 + 4096 + 4352);
}

TEST(arena, overlapping_reservations_share_their_blocks) {
  Arena arena("slot", MemoryKind::device, 1024);
  const Slice a = arena.reserve(600), b = arena.reserve(600);
  EXPECT_NE(a.block, b.block);
  arena.overlap();
  const Slice c = arena.reserve(256), d = arena.reserve(700), e = arena.reserve(1000);
  EXPECT_EQ(c.block, a.block);
  EXPECT_EQ(c.offset, 0u);
  EXPECT_EQ(d.block, a.block);
  EXPECT_EQ(d.offset, 256u);
  EXPECT_EQ(e.block, b.block);
  EXPECT_EQ(arena.bytes(), 1024u + 1024) << "the larger of what lies over one another";
}

TEST(arena, streamed_memory_is_not_the_devices) {
  Device& device = test::device();
  const std::uint64_t before = device.allocated_bytes();
  Arena arena("weights", MemoryKind::streamed);
  const Slice slice = arena.reserve(100);
  arena.commit(device);
  EXPECT_NE(slice.block->mapped, nullptr);
  EXPECT_EQ(device.allocated_bytes(), before);
}

// VkMemoryPropertyFlags: 1 device local, 2 host visible, 4 coherent, 8 cached.
TEST(memory_type, device_blocks_are_mapped_where_memory_is_unified) {
  constexpr std::uint32_t all = ~0u;
  const std::uint32_t discrete[] = {1, 6, 7, 14}, integrated[] = {1, 7, 15, 14}, none_local[] = {0, 6, 14};
  EXPECT_EQ(choose_memory_type(discrete, all, MemoryKind::device, false), 0);
  EXPECT_EQ(choose_memory_type(discrete, all, MemoryKind::host, false), 3);
  EXPECT_EQ(choose_memory_type(discrete, 0b0110, MemoryKind::host, false), 1);
  EXPECT_EQ(choose_memory_type(integrated, all, MemoryKind::device, true), 2);
  EXPECT_EQ(choose_memory_type(integrated, 0b0011, MemoryKind::device, true), 1);
  EXPECT_EQ(choose_memory_type(none_local, all, MemoryKind::device, false), 0);
  EXPECT_EQ(choose_memory_type(discrete, 0b0001, MemoryKind::host, false), -1);
}

TEST(arena, refuses_what_the_device_does_not_allocate_at_once) {
  DeviceInfo info = test::device().info();
  info.limits.max_allocation = 1 << 20;
  Device small(info);
  Arena arena("weights");
  arena.reserve((1 << 20) + 1);
  EXPECT_NE(refusal([&] { arena.commit(small); }).find("allocates at most 1 MiB at once"), std::string::npos);
}

TEST(arena, blocks_split_and_slices_hold_their_own_data) {
  Device& device = test::device();
  const std::uint64_t before = device.allocated_bytes();
  {
    Arena arena("split", MemoryKind::device, 1024);
    std::vector<Slice> slices;
    for (std::uint64_t i = 0; i < 10; ++i) slices.push_back(arena.reserve(300));  // two a block
    arena.commit(device);
    EXPECT_EQ(arena.bytes(), 10u * 512);
    EXPECT_EQ(device.allocated_bytes(), before + 10 * 512);
    EXPECT_GE(device.peak_bytes(), device.allocated_bytes());
    for (const Slice& slice : slices)
      EXPECT_EQ(device.download<std::uint8_t>(slice), std::vector<std::uint8_t>(300, 0)) << "zeros at first";
    for (std::size_t i = 0; i < slices.size(); ++i)
      device.upload(slices[i], std::vector<std::uint8_t>(300, static_cast<std::uint8_t>(i + 1)));
    for (std::size_t i = 0; i < slices.size(); ++i) {
      EXPECT_EQ(slices[i].offset % Arena::alignment, 0u);
      EXPECT_EQ(device.download<std::uint8_t>(slices[i]),
                std::vector<std::uint8_t>(300, static_cast<std::uint8_t>(i + 1)));
    }
  }
  EXPECT_EQ(device.allocated_bytes(), before) << "given back";
}

TEST(arena, refuses_by_name) {
  Arena arena("scratch", MemoryKind::device, 4096);
  EXPECT_THROW(arena.reserve(0), Error);
  EXPECT_THROW(arena.reserve(~std::uint64_t{0}), Error);
  arena.reserve(16);
  arena.commit(test::device());
  EXPECT_EQ(refusal([&] { arena.reserve(16); }), "arena scratch: reserve after commit");
  EXPECT_EQ(refusal([&] { arena.commit(test::device()); }), "arena scratch: committed twice");
}

TEST(arena, host_memory_is_mapped) {
  Arena arena("ring", MemoryKind::host);
  const Slice slice = arena.reserve(64);
  EXPECT_EQ(slice.block->mapped, nullptr) << "only a plan";
  arena.commit(test::device());
  EXPECT_NE(slice.block->mapped, nullptr);
}

// Memory that the host cannot see goes through 16 MiB of staging. CPU drivers map everything, so the block is
// described here as one that is not mapped.
class Transfers : public testing::TestWithParam<bool> {
 protected:
  Slice seen(const Slice& slice) {
    if (GetParam()) return slice;
    hidden_ = *slice.block;
    hidden_.mapped = nullptr;
    return {&hidden_, slice.offset, slice.size};
  }

 private:
  Block hidden_;
};

TEST_P(Transfers, beyond_the_staging_memory) {
  Device& device = test::device();
  Arena arena("transfers");
  arena.reserve(256);
  const std::size_t words = (std::size_t{32} << 18) + 7;  // 32 MiB and 28 bytes
  const Slice slice = seen(arena.reserve(words * 4));
  const Slice after = arena.reserve(256);
  arena.commit(device);
  const Slice target = seen({after.block, slice.offset, slice.size});
  std::vector<std::uint32_t> values(words);
  std::iota(values.begin(), values.end(), 1u);
  device.upload(target, values);
  EXPECT_TRUE(device.download<std::uint32_t>(target) == values);
  EXPECT_EQ(device.download<std::uint32_t>(after), std::vector<std::uint32_t>(64, 0))
      << "the neighbour stays";
  const Slice middle = target.part(std::uint64_t{16} << 20, 8);  // across the first staging boundary
  device.clear(middle);
  values[std::size_t{4} << 20] = values[(std::size_t{4} << 20) + 1] = 0;
  EXPECT_TRUE(device.download<std::uint32_t>(target) == values);
}

TEST_P(Transfers, refuse_more_than_the_slice_holds) {
  Device& device = test::device();
  Arena arena("small");
  const Slice slice = arena.reserve(8);
  arena.commit(device);
  const Slice target = seen(slice);
  EXPECT_EQ(refusal([&] { device.upload(target, std::vector<float>(3)); }),
            "upload: 12 bytes into a slice of 8");
  float values[3];
  EXPECT_EQ(refusal([&] { device.download(values, target, 12); }), "download: 12 bytes from a slice of 8");
}

INSTANTIATE_TEST_SUITE_P(memory, Transfers, testing::Values(true, false),
                         [](const auto& info) { return info.param ? "mapped" : "staged"; });

}  // namespace
}  // namespace walsh::vk

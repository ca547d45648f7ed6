// Device memory: a few big blocks, each one buffer, carved into slices by arenas.
//
// An arena first collects reservations (this alone is a plan: it needs no device), then `commit` allocates.
// Blocks stay at or below 1 GiB, the least that a Vulkan 1.3 driver may allow an allocation; only a tensor
// larger than that gets a larger block of its own, where the driver allows it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vk/handles.h"

namespace walsh::vk {

class Device;

enum class MemoryKind : std::uint8_t {
  device,   // fastest for the device; mapped too where the hardware allows (CPU drivers, integrated GPUs)
  host,     // mapped and coherent: rings that the host writes or reads while the device runs
  streamed  // the same, and not counted as the device's: what it copies from when it needs it
};

/// One buffer with memory of its own. Before `Arena::commit` it is only a size.
struct Block {
  std::uint64_t size = 0;
  VkBuffer buffer = nullptr;
  VkDeviceMemory memory = nullptr;
  std::byte* mapped = nullptr;  // null where the host cannot see it
  bool counted = true;          // as the device's memory
};

/// A byte range of a block.
struct Slice {
  const Block* block = nullptr;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;

  explicit operator bool() const { return block != nullptr; }
  Slice part(std::uint64_t first, std::uint64_t bytes) const { return {block, offset + first, bytes}; }
};

/// The memory type for a block, among types with these VkMemoryPropertyFlags of which `allowed` has a bit
/// each; -1: none. `unified`: the device's memory is the host's too (integrated GPUs, CPU drivers), so device
/// blocks are mapped and need no staging.
int choose_memory_type(std::span<const std::uint32_t> types, std::uint32_t allowed, MemoryKind kind,
                       bool unified);

class Arena {
 public:
  /// Every slice begins at a multiple of this: the largest minStorageBufferOffsetAlignment the specification
  /// allows.
  static constexpr std::uint64_t alignment = 256;
  static constexpr std::uint64_t default_block = std::uint64_t{1} << 30;

  explicit Arena(std::string name, MemoryKind kind = MemoryKind::device,
                 std::uint64_t block_size = default_block);
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  /// Reserves `bytes`, in a block of its own where that is more than a block. Refused after commit.
  Slice reserve(std::uint64_t bytes);

  /// What is reserved from now on lies over what was reserved before, from the beginning.
  void overlap() { next_block_ = next_offset_ = 0; }

  /// Bytes that commit allocates (or has allocated).
  std::uint64_t bytes() const;

  /// Every block as one slice.
  std::vector<Slice> blocks() const;

  /// Allocates every block, filled with zeros. Throws Error naming the sizes when the device has no room.
  void commit(Device& device);

  const std::string& name() const { return name_; }

 private:
  std::string name_;
  MemoryKind kind_;
  std::uint64_t block_size_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::uint64_t next_block_ = 0, next_offset_ = 0;  // where the next slice begins, if it fits there
  Device* device_ = nullptr;
};

}  // namespace walsh::vk

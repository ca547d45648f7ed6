#include "vk/memory.h"

#include <volk.h>

#include <algorithm>

#include "base/error.h"
#include "vk/device.h"
#include "vk/instance.h"
#include "vk/result.h"

namespace walsh::vk {
namespace {

std::uint64_t round_up(std::uint64_t bytes) {
  return (bytes + Arena::alignment - 1) / Arena::alignment * Arena::alignment;
}

constexpr std::uint64_t most_bytes = std::uint64_t{1} << 48;

double mib(std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

constexpr VkMemoryPropertyFlags coherent =
    VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;

}  // namespace

int choose_memory_type(std::span<const std::uint32_t> types, std::uint32_t allowed, MemoryKind kind,
                       bool unified) {
  const bool host = kind != MemoryKind::device;
  const auto score = [&](VkMemoryPropertyFlags flags) {
    const auto has = [&](VkMemoryPropertyFlags wanted) { return (flags & wanted) == wanted; };
    if (host) return has(coherent) ? 1 + has(VK_MEMORY_PROPERTY_HOST_CACHED_BIT) : 0;
    int points = 1 + 8 * has(VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    if (unified) points += 2 * has(coherent) + has(coherent | VK_MEMORY_PROPERTY_HOST_CACHED_BIT);
    return points;
  };
  int best = -1, best_score = 0;
  for (std::uint32_t i = 0; i < types.size(); ++i) {
    if (!(allowed & (1u << i)) || score(types[i]) <= best_score) continue;
    best = static_cast<int>(i);
    best_score = score(types[i]);
  }
  return best;
}

Arena::Arena(std::string name, MemoryKind kind, std::uint64_t block_size)
    : name_(std::move(name)), kind_(kind), block_size_(block_size) {}

Arena::~Arena() {
  if (!device_) return;
  for (auto& block : blocks_) device_->release(*block);
}

Slice Arena::reserve(std::uint64_t bytes) {
  require(device_ == nullptr, "arena {}: reserve after commit", name_);
  require(bytes > 0 && bytes <= most_bytes, "arena {}: one tensor of {} bytes, expected 1 to {}", name_,
          bytes, most_bytes);
  const std::uint64_t rounded = round_up(bytes);
  if (next_offset_ > 0 && next_offset_ + rounded > block_size_) {
    ++next_block_;
    next_offset_ = 0;
  }
  if (next_block_ == blocks_.size()) blocks_.push_back(std::make_unique<Block>());
  Block& block = *blocks_[next_block_];
  const Slice slice{&block, next_offset_, bytes};
  next_offset_ += rounded;
  block.size = std::max(block.size, next_offset_);
  return slice;
}

std::uint64_t Arena::bytes() const {
  std::uint64_t total = 0;
  for (const auto& block : blocks_) total += block->size;
  return total;
}

std::vector<Slice> Arena::blocks() const {
  std::vector<Slice> slices;
  for (const auto& block : blocks_) slices.push_back({block.get(), 0, block->size});
  return slices;
}

void Arena::commit(Device& device) {
  require(device_ == nullptr, "arena {}: committed twice", name_);
  device_ = &device;
  for (auto& block : blocks_) {
    *block = device.allocate(block->size, kind_, name_);
    device.clear({block.get(), 0, block->size});
  }
}

Block Device::allocate(std::uint64_t bytes, MemoryKind kind, std::string_view name) {
  require(bytes <= info_.limits.max_allocation,
          "{}: a tensor needs {:.0f} MiB in one piece, {} allocates at most {:.0f} MiB at once; use a "
          "smaller batch, "
          "sequence length or model",
          name, mib(bytes), info_.name, mib(info_.limits.max_allocation));
  Block block{.size = bytes};
  VkBufferCreateInfo buffer_info{};
  buffer_info.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO;
  buffer_info.size = bytes;
  buffer_info.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT |
                      VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
  check(vkCreateBuffer(device_, &buffer_info, nullptr, &block.buffer), "vkCreateBuffer");
  VkMemoryRequirements needs;
  vkGetBufferMemoryRequirements(device_, block.buffer, &needs);

  VkPhysicalDeviceMemoryProperties memory;
  vkGetPhysicalDeviceMemoryProperties(info_.handle, &memory);
  std::vector<std::uint32_t> types;
  for (std::uint32_t i = 0; i < memory.memoryTypeCount; ++i)
    types.push_back(memory.memoryTypes[i].propertyFlags);
  const bool unified = info_.type == DeviceType::integrated || info_.type == DeviceType::cpu;
  const int type = choose_memory_type(types, needs.memoryTypeBits, kind, unified);
  VkMemoryAllocateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO;
  info.allocationSize = needs.size;
  info.memoryTypeIndex = static_cast<std::uint32_t>(type);
  const VkResult result =
      type < 0 ? VK_ERROR_FEATURE_NOT_PRESENT : vkAllocateMemory(device_, &info, nullptr, &block.memory);
  if (result != VK_SUCCESS) {
    vkDestroyBuffer(device_, block.buffer, nullptr);
    refuse(
        "not enough device memory on {}: {:.0f} MiB for {} beside {:.0f} MiB in use, of {:.0f} MiB; use a "
        "smaller batch, "
        "sequence length or model",
        info_.name, mib(bytes), name, mib(allocated_), mib(info_.memory_bytes));
  }
  check(vkBindBufferMemory(device_, block.buffer, block.memory, 0), "vkBindBufferMemory");
  if ((memory.memoryTypes[type].propertyFlags & coherent) == coherent) {
    void* mapped = nullptr;
    check(vkMapMemory(device_, block.memory, 0, VK_WHOLE_SIZE, 0, &mapped), "vkMapMemory");
    block.mapped = static_cast<std::byte*>(mapped);
  }
  if (validation_enabled()) {
    const std::string label_text(name);
    VkDebugUtilsObjectNameInfoEXT label{};
    label.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT;
    label.objectType = VK_OBJECT_TYPE_BUFFER;
    label.objectHandle = reinterpret_cast<std::uint64_t>(block.buffer);
    label.pObjectName = label_text.c_str();
    vkSetDebugUtilsObjectNameEXT(device_, &label);
  }
  block.counted = kind != MemoryKind::streamed;
  if (block.counted) allocated_ += bytes;
  peak_ = std::max(peak_, allocated_);
  return block;
}

void Device::release(Block& block) {
  if (!block.buffer) return;
  vkDeviceWaitIdle(device_);  // unchecked: a lost device is released too
  vkDestroyBuffer(device_, block.buffer, nullptr);
  vkFreeMemory(device_, block.memory, nullptr);
  if (block.counted) allocated_ -= block.size;
}

}  // namespace walsh::vk

// Submitting recordings, waiting, and moving data between host and device.
#include <volk.h>

#include <algorithm>
#include <cstring>

#include "vk/device.h"
#include "vk/recorder.h"
#include "vk/result.h"
#include "vk/switches.h"

namespace walsh::vk {
namespace {

constexpr std::uint64_t staging_bytes = std::uint64_t{16} << 20;

}  // namespace

void Device::submit_commands(std::span<const VkCommandBuffer> commands) {
  static const std::uint64_t to_lose = submission_to_lose();
  static std::uint64_t submissions = 0;  // of all devices: one opened anew is not lost again
  if (++submissions == to_lose) lost_ = true;
  if (lost_) throw DeviceLost("the device was lost in vkQueueSubmit2");
  std::vector<VkCommandBufferSubmitInfo> buffers;
  for (VkCommandBuffer buffer : commands) {
    buffers.push_back({VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO, nullptr, buffer, 0});
  }
  VkSemaphoreSubmitInfo signal{};
  signal.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO;
  signal.semaphore = timeline_;
  signal.value = submitted_ + 1;
  signal.stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT;
  VkSubmitInfo2 info{};
  info.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2;
  info.commandBufferInfoCount = static_cast<std::uint32_t>(buffers.size());
  info.pCommandBufferInfos = buffers.data();
  info.signalSemaphoreInfoCount = 1;
  info.pSignalSemaphoreInfos = &signal;
  check(vkQueueSubmit2(queue_, 1, &info, VK_NULL_HANDLE), "vkQueueSubmit2");
  ++submitted_;
}

Ticket Device::submit(Recording& recording) {
  if (recording.pieces_.empty()) {
    recording.measure();
    recording.cut();
    return submitted_;
  }
  for (const VkCommandBuffer piece : recording.pieces_) submit_commands({&piece, 1});
  return submitted_;
}

void Device::wait(Ticket ticket) {
  if (lost_) throw DeviceLost("the device was lost in vkWaitSemaphores");
  VkSemaphoreWaitInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO;
  info.semaphoreCount = 1;
  info.pSemaphores = &timeline_;
  info.pValues = &ticket;
  check(vkWaitSemaphores(device_, &info, UINT64_MAX), "vkWaitSemaphores");
}

// A transfer outside recordings: one short command buffer, waited for.
void Device::run_once(auto&& record) {
  VkCommandBufferAllocateInfo allocate{};
  allocate.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
  allocate.commandPool = transfer_pool_;
  allocate.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  allocate.commandBufferCount = 1;
  VkCommandBuffer commands = nullptr;
  check(vkAllocateCommandBuffers(device_, &allocate, &commands), "vkAllocateCommandBuffers");
  VkCommandBufferBeginInfo begin{};
  begin.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  begin.flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT;
  check(vkBeginCommandBuffer(commands, &begin), "vkBeginCommandBuffer");
  record(commands);
  VkMemoryBarrier2 to_host{};
  to_host.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2;
  to_host.srcStageMask = VK_PIPELINE_STAGE_2_ALL_TRANSFER_BIT;
  to_host.srcAccessMask = VK_ACCESS_2_TRANSFER_WRITE_BIT;
  to_host.dstStageMask = VK_PIPELINE_STAGE_2_HOST_BIT;
  to_host.dstAccessMask = VK_ACCESS_2_HOST_READ_BIT;
  VkDependencyInfo dependency{};
  dependency.sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO;
  dependency.memoryBarrierCount = 1;
  dependency.pMemoryBarriers = &to_host;
  vkCmdPipelineBarrier2(commands, &dependency);
  check(vkEndCommandBuffer(commands), "vkEndCommandBuffer");
  submit_commands({&commands, 1});
  wait_idle();
  vkFreeCommandBuffers(device_, transfer_pool_, 1, &commands);
}

Slice Device::staging() {
  if (!staging_arena_) {
    staging_arena_ = std::make_unique<Arena>("staging", MemoryKind::host, staging_bytes);
    staging_ = staging_arena_->reserve(staging_bytes);
    staging_arena_->commit(*this);
  }
  return staging_;
}

void Device::upload(const Slice& to, const void* from, std::uint64_t bytes) {
  require(bytes <= to.size, "upload: {} bytes into a slice of {}", bytes, to.size);
  wait_idle();
  if (to.block->mapped) {
    std::memcpy(to.block->mapped + to.offset, from, bytes);
    return;
  }
  const Slice stage = staging();
  for (std::uint64_t done = 0; done < bytes; done += stage.size) {
    const std::uint64_t part = std::min(stage.size, bytes - done);
    std::memcpy(stage.block->mapped + stage.offset, static_cast<const std::byte*>(from) + done, part);
    run_once([&](VkCommandBuffer commands) {
      const VkBufferCopy region{stage.offset, to.offset + done, part};
      vkCmdCopyBuffer(commands, stage.block->buffer, to.block->buffer, 1, &region);
    });
  }
}

void Device::download(void* to, const Slice& from, std::uint64_t bytes) {
  require(bytes <= from.size, "download: {} bytes from a slice of {}", bytes, from.size);
  wait_idle();
  if (from.block->mapped) {
    std::memcpy(to, from.block->mapped + from.offset, bytes);
    return;
  }
  const Slice stage = staging();
  for (std::uint64_t done = 0; done < bytes; done += stage.size) {
    const std::uint64_t part = std::min(stage.size, bytes - done);
    run_once([&](VkCommandBuffer commands) {
      const VkBufferCopy region{from.offset + done, stage.offset, part};
      vkCmdCopyBuffer(commands, from.block->buffer, stage.block->buffer, 1, &region);
    });
    std::memcpy(static_cast<std::byte*>(to) + done, stage.block->mapped + stage.offset, part);
  }
}

void Device::clear(const Slice& slice) {
  if (slice.block->mapped) {
    wait_idle();
    std::memset(slice.block->mapped + slice.offset, 0, slice.size);
    return;
  }
  run_once([&](VkCommandBuffer commands) {
    vkCmdFillBuffer(commands, slice.block->buffer, slice.offset, (slice.size + 3) / 4 * 4, 0);
  });
}

}  // namespace walsh::vk

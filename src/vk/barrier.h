// Memory barriers. Included by the .cpp files of this layer only.
#pragma once

#include <volk.h>

namespace walsh::vk {

constexpr VkAccessFlags2 any_access = VK_ACCESS_2_MEMORY_READ_BIT | VK_ACCESS_2_MEMORY_WRITE_BIT;

inline void memory_barrier(VkCommandBuffer commands, VkPipelineStageFlags2 from, VkAccessFlags2 from_access,
                           VkPipelineStageFlags2 to, VkAccessFlags2 to_access) {
  VkMemoryBarrier2 barrier{};
  barrier.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2;
  barrier.srcStageMask = from;
  barrier.srcAccessMask = from_access;
  barrier.dstStageMask = to;
  barrier.dstAccessMask = to_access;
  VkDependencyInfo dependency{};
  dependency.sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO;
  dependency.memoryBarrierCount = 1;
  dependency.pMemoryBarriers = &barrier;
  vkCmdPipelineBarrier2(commands, &dependency);
}

}  // namespace walsh::vk

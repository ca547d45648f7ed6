#include "vk/recording.h"

#include <volk.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include "vk/barrier.h"
#include "vk/device.h"
#include "vk/result.h"

namespace walsh::vk {
namespace {

// The first range of a dispatch that has as many workgroups is this share of them.
constexpr std::uint32_t first_share = 16;

}  // namespace

Recording::Recording(Recording&& other) noexcept
    : device_(other.device_),
      pool_(std::exchange(other.pool_, nullptr)),
      commands_(std::move(other.commands_)),
      pieces_(std::move(other.pieces_)),
      piece_seconds_(std::move(other.piece_seconds_)),
      descriptor_pools_(std::exchange(other.descriptor_pools_, {})),
      views_(std::exchange(other.views_, {})),
      queries_(std::exchange(other.queries_, nullptr)),
      stamps_(std::move(other.stamps_)),
      dispatches_(other.dispatches_),
      barriers_(other.barriers_) {}

Recording& Recording::operator=(Recording&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(pool_, other.pool_);
  std::swap(commands_, other.commands_);
  std::swap(pieces_, other.pieces_);
  std::swap(piece_seconds_, other.piece_seconds_);
  std::swap(descriptor_pools_, other.descriptor_pools_);
  std::swap(views_, other.views_);
  std::swap(queries_, other.queries_);
  std::swap(stamps_, other.stamps_);
  std::swap(dispatches_, other.dispatches_);
  std::swap(barriers_, other.barriers_);
  return *this;
}

Recording::~Recording() {
  if (!pool_) return;
  vkDeviceWaitIdle(device_->handle());  // unchecked: a lost device is torn down too
  for (VkDescriptorPool pool : descriptor_pools_) vkDestroyDescriptorPool(device_->handle(), pool, nullptr);
  for (VkBufferView view : views_) vkDestroyBufferView(device_->handle(), view, nullptr);
  if (queries_) vkDestroyQueryPool(device_->handle(), queries_, nullptr);
  vkDestroyCommandPool(device_->handle(), pool_, nullptr);
}

std::vector<ScopeTime> Recording::scope_times() const {
  std::vector<ScopeTime> times;
  if (!queries_ || stamps_.empty()) return times;
  std::vector<std::uint64_t> ticks(2 * stamps_.size());
  check(vkGetQueryPoolResults(device_->handle(), queries_, 0, static_cast<std::uint32_t>(ticks.size()),
                              ticks.size() * 8, ticks.data(), 8,
                              VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT),
        "vkGetQueryPoolResults");
  const double tick = device_->info().limits.timestamp_nanoseconds * 1e-9;
  for (const Stamp& stamp : stamps_) {
    times.push_back({stamp.name, static_cast<double>(ticks[stamp.begin]) * tick,
                     static_cast<double>(ticks[stamp.begin + 1] - ticks[stamp.begin]) * tick,
                     stamp.dispatch});
  }
  return times;
}

VkCommandBuffer Recording::begin_piece() {
  VkCommandBufferAllocateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
  info.commandPool = pool_;
  info.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  info.commandBufferCount = 1;
  VkCommandBuffer commands = nullptr;
  check(vkAllocateCommandBuffers(device_->handle(), &info, &commands), "vkAllocateCommandBuffers");
  VkCommandBufferBeginInfo begin{};
  begin.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  begin.flags = VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT;
  check(vkBeginCommandBuffer(commands, &begin), "vkBeginCommandBuffer");
  memory_barrier(commands, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, any_access,
                 VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, any_access);
  return commands;
}

void Recording::end_piece(VkCommandBuffer commands) {
  memory_barrier(commands, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, any_access,
                 VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT | VK_PIPELINE_STAGE_2_HOST_BIT,
                 any_access | VK_ACCESS_2_HOST_READ_BIT);
  check(vkEndCommandBuffer(commands), "vkEndCommandBuffer");
}

double Recording::run_alone(const Command& command, std::uint32_t first, std::uint32_t count) {
  VkCommandBuffer commands = begin_piece();
  command.write(commands, first, count);
  end_piece(commands);
  const auto start = std::chrono::steady_clock::now();
  device_->submit_commands({&commands, 1});
  device_->wait_idle();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  vkFreeCommandBuffers(device_->handle(), pool_, 1, &commands);
  return seconds.count();
}

// The quickest range says what a workgroup takes: the first one may have waited for a compiler.
void Recording::measure() {
  const double budget = device_->info().tuning.submission_seconds;
  device_->wait_idle();
  for (Command& command : commands_) {
    const double parts = command.parts;
    double each = std::numeric_limits<double>::infinity();
    std::uint32_t count = command.parts < first_share ? command.parts : command.parts / first_share;
    for (std::uint32_t done = 0; done < command.parts;) {
      count = std::min(count, command.parts - done);
      each = std::min(each, run_alone(command, done, count) / count);
      done += count;
      count = static_cast<std::uint32_t>(std::clamp(budget / each, 1.0, parts));
    }
    command.seconds = each * parts;
  }
}

void Recording::cut() {
  const double budget = device_->info().tuning.submission_seconds;
  VkCommandBuffer piece = nullptr;
  double piece_seconds = 0;
  const auto flush = [&] {
    if (!piece) return;
    end_piece(piece);
    pieces_.push_back(std::exchange(piece, nullptr));
    piece_seconds_.push_back(std::exchange(piece_seconds, 0));
  };
  for (const Command& command : commands_) {
    const double ranges =
        std::clamp(std::ceil(command.seconds / budget), 1.0, static_cast<double>(command.parts));
    const auto count = static_cast<std::uint32_t>(std::ceil(command.parts / ranges));
    for (std::uint32_t first = 0; first < command.parts; first += count) {
      const std::uint32_t range = std::min(count, command.parts - first);
      const double seconds = command.seconds * range / command.parts;
      if (piece_seconds + seconds > budget) flush();
      if (!piece) {
        piece = begin_piece();
      } else if (command.wait_for != 0 && first == 0) {
        memory_barrier(piece, command.wait_for, any_access,
                       VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_2_TRANSFER_BIT, any_access);
      }
      command.write(piece, first, range);
      piece_seconds += seconds;
    }
  }
  flush();
}

}  // namespace walsh::vk

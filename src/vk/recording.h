// Work recorded once, to be replayed many times without a driver's watchdog ever seeing it.
//
// A recording is a list of commands. Its first run submits them one at a time and measures them, a large
// dispatch in ranges of workgroups that grow with what the ranges before took. From those times the list is
// cut into pieces (command buffers) that stay below the time budget of a submission, a dispatch that alone
// exceeds it into several. Later runs submit the pieces.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "vk/handles.h"

namespace walsh::vk {

class Device;

/// When a scope or a dispatch ran, by device timestamps.
struct ScopeTime {
  std::string name;      // the scope's, or the dispatch's module
  double begin_seconds;  // by the device's clock, whose zero is its own
  double seconds;
  bool dispatch;
};

class Recording {
 public:
  Recording(Recording&& other) noexcept;
  Recording& operator=(Recording&& other) noexcept;
  ~Recording();

  std::size_t dispatches() const { return dispatches_; }
  std::size_t barriers() const { return barriers_; }

  /// Submissions of a replay, and how long each took when it was measured; empty before the first run.
  const std::vector<double>& piece_seconds() const { return piece_seconds_; }

  /// Times of scopes and dispatches at the last run; empty unless the recorder profiled. Wait for the run
  /// first.
  std::vector<ScopeTime> scope_times() const;

 private:
  friend class Recorder;
  friend class Device;
  struct Command {
    /// Writes it into a command buffer: of a dispatch, the workgroups [first, first + count) of the axis that
    /// is cut.
    std::function<void(VkCommandBuffer, std::uint32_t first, std::uint32_t count)> write;
    std::uint32_t parts = 1;             // workgroups on that axis
    VkPipelineStageFlags2 wait_for = 0;  // stages of commands before it that it depends on
    double seconds = 0;                  // at the first run
  };
  struct Stamp {
    std::string name;
    std::uint32_t begin;  // query index; the end's is the next
    bool dispatch;
  };

  explicit Recording(Device& device) : device_(&device) {}

  VkCommandBuffer begin_piece();
  void end_piece(VkCommandBuffer commands);
  /// Runs every command alone and waits, noting how long it takes.
  void measure();
  double run_alone(const Command& command, std::uint32_t first, std::uint32_t count);
  /// Makes the pieces of the measured commands.
  void cut();

  Device* device_;
  VkCommandPool pool_ = nullptr;
  std::vector<Command> commands_;
  std::vector<VkCommandBuffer> pieces_;
  std::vector<double> piece_seconds_;
  std::vector<VkDescriptorPool> descriptor_pools_;
  std::vector<VkBufferView> views_;
  VkQueryPool queries_ = nullptr;
  std::vector<Stamp> stamps_;
  std::size_t dispatches_ = 0;
  std::size_t barriers_ = 0;
};

}  // namespace walsh::vk

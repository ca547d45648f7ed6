// An open Vulkan device: kernels by name, submissions on one timeline, transfers.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "vk/device_info.h"
#include "vk/kernel.h"
#include "vk/memory.h"

namespace walsh::vk {

class Recording;

/// A point on the device's timeline: everything submitted up to it is done when it is reached.
using Ticket = std::uint64_t;

/// The device stopped answering (a watchdog, a driver fault). Nothing more can be had from it; a run goes on
/// from its last checkpoint on a device opened anew.
struct DeviceLost : Failure {
  using Failure::Failure;
};

class Device {
 public:
  /// With `statistics` every kernel is compiled anew and can be asked what the compiler made of it.
  explicit Device(DeviceInfo info, bool statistics = false);
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device();

  const DeviceInfo& info() const { return info_; }

  /// The pipeline of a module with its specialization constants 0, 1, ... set; compiled once, then cached.
  const Kernel& kernel(std::string_view module, std::span<const std::uint32_t> constants = {});
  /// Every kernel built so far, by name and constants.
  std::vector<const Kernel*> kernels() const;

  /// Submits a recording, cut into submissions of about 100 ms by the times measured at its first run. Does
  /// not wait (but for the first run, which measures). A recording may be submitted again while it is
  /// pending.
  Ticket submit(Recording& recording);
  void wait(Ticket ticket);
  void wait_idle() { wait(submitted_); }

  /// Host to device and back. Both wait for everything submitted before.
  void upload(const Slice& to, const void* from, std::uint64_t bytes);
  void download(void* to, const Slice& from, std::uint64_t bytes);
  void clear(const Slice& slice);

  template <typename T>
  void upload(const Slice& to, const std::vector<T>& from) {
    upload(to, from.data(), from.size() * sizeof(T));
  }
  template <typename T>
  std::vector<T> download(const Slice& from) {
    std::vector<T> to(from.size / sizeof(T));
    download(to.data(), from, to.size() * sizeof(T));
    return to;
  }

  /// Bytes allocated now and at most so far.
  std::uint64_t allocated_bytes() const { return allocated_; }
  std::uint64_t peak_bytes() const { return peak_; }

  VkDevice handle() const { return device_; }
  std::uint32_t queue_family() const { return queue_family_; }

 private:
  friend class Arena;
  friend class Recording;
  Block allocate(std::uint64_t bytes, MemoryKind kind, std::string_view name);
  void release(Block& block);
  void submit_commands(std::span<const VkCommandBuffer> commands);
  void run_once(auto&& record);
  Slice staging();
  void load_pipeline_cache();
  void save_pipeline_cache();

  DeviceInfo info_;
  bool statistics_;
  VkDevice device_ = nullptr;
  VkQueue queue_ = nullptr;
  std::uint32_t queue_family_ = 0;
  VkSemaphore timeline_ = nullptr;
  Ticket submitted_ = 0;
  VkCommandPool transfer_pool_ = nullptr;
  VkPipelineCache pipeline_cache_ = nullptr;
  std::size_t loaded_cache_bytes_ = 0;
  bool lost_ = false;
  std::map<std::string, std::unique_ptr<Kernel>, std::less<>> kernels_;
  std::unique_ptr<Arena> staging_arena_;
  Slice staging_;
  std::uint64_t allocated_ = 0;
  std::uint64_t peak_ = 0;
};

}  // namespace walsh::vk

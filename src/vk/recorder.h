// Records compute work once, to be replayed many times.
//
// Barriers are derived: every dispatch says through its module's `readonly` and `writeonly` which byte ranges
// it reads and writes; the recorder keeps the ranges touched since the last barrier and puts one memory
// barrier before a dispatch that depends on them. Independent dispatches run without one.
//
// A recording is a list of pieces (command buffers). Each opens and closes with a full barrier, because the
// tracker sees one piece only, and submissions are cut between pieces (see Device::submit).
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "vk/device.h"

namespace walsh::vk {

/// Number of workgroups of a dispatch.
struct Groups {
  std::uint32_t x = 1, y = 1, z = 1;
};

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
  std::size_t pieces() const { return pieces_.size(); }

  /// Times of scopes and dispatches at the last run; empty unless the recorder profiled. Wait for the run
  /// first.
  std::vector<ScopeTime> scope_times() const;

 private:
  friend class Recorder;
  friend class Device;
  struct Piece {
    VkCommandBuffer commands;
    double seconds = -1;  // by the host's clock at the first run
  };
  struct Stamp {
    std::string name;
    std::uint32_t begin;  // query index; the end's is the next
    bool dispatch;
  };

  explicit Recording(Device& device) : device_(&device) {}

  Device* device_;
  VkCommandPool pool_ = nullptr;
  std::vector<Piece> pieces_;
  std::vector<VkDescriptorPool> descriptor_pools_;
  std::vector<VkBufferView> views_;
  VkQueryPool queries_ = nullptr;
  std::vector<Stamp> stamps_;
  std::size_t dispatches_ = 0;
  std::size_t barriers_ = 0;
};

class Recorder {
 public:
  /// `profile`: write timestamps around every scope and dispatch. `operands`: what ops may round the operands
  /// of matrix products to (ops/matrix_tile.h).
  explicit Recorder(Device& device, bool profile = false, Precision operands = Precision::fp32);

  Device& device() { return recording_.device_[0]; }
  Precision operands() const { return operands_; }

  /// Records one dispatch. `buffers` in binding order; their number, the size of `args` and the constants are
  /// checked against the module, naming it. `args` is the push-constant struct of the op (4-byte scalars).
  template <typename Args>
  void dispatch(std::string_view module, std::initializer_list<Slice> buffers, const Args& args,
                Groups groups, std::initializer_list<std::uint32_t> constants = {}) {
    static_assert(std::is_trivially_copyable_v<Args>);
    dispatch(module, std::span(buffers.begin(), buffers.size()), &args, sizeof(Args), groups,
             std::span(constants.begin(), constants.size()));
  }

  /// Untyped form of the above.
  void dispatch(std::string_view module, std::span<const Slice> buffers, const void* args,
                std::size_t args_bytes, Groups groups, std::span<const std::uint32_t> constants);

  void copy(const Slice& to, const Slice& from);
  void clear(const Slice& slice);

  /// Names the work recorded while the returned object lives (debug labels, profile).
  class Scope {
   public:
    Scope(Recorder& recorder, std::string name);
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope();

   private:
    Recorder& recorder_;
    std::optional<std::uint32_t> stamp_;
  };
  Scope scope(std::string name) { return Scope(*this, std::move(name)); }

  Recording finish();

 private:
  struct Range {
    const Block* block;
    std::uint64_t begin, end;
  };

  void begin_piece();
  void end_piece();
  /// A barrier if one of these accesses depends on work since the last one; then notes them.
  void order(std::span<const Slice> reads, std::span<const Slice> writes);
  void barrier();
  /// Writes the first timestamp of a pair, if the recorder profiles and has one left; `end_stamp` the second.
  std::optional<std::uint32_t> begin_stamp(std::string_view name, bool dispatch);
  void end_stamp(std::optional<std::uint32_t> stamp);

  Recording recording_;
  bool profile_;
  Precision operands_;
  VkCommandBuffer commands_ = nullptr;
  std::size_t piece_dispatches_ = 0;
  std::size_t open_scopes_ = 0;
  std::vector<Range> reads_, writes_;
};

/// Runs what `record` records, once, and waits.
template <typename Record>
void run_once(Device& device, Record&& record, Precision operands = Precision::fp32) {
  Recorder recorder(device, false, operands);
  record(recorder);
  Recording recording = recorder.finish();
  device.wait(device.submit(recording));
}

}  // namespace walsh::vk

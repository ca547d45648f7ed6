// Records compute work once, to be replayed many times.
//
// Barriers are derived: every dispatch says through its module's `readonly` and `writeonly` which byte ranges
// it reads and writes; the recorder keeps the ranges touched since the last barrier and puts one memory
// barrier before a dispatch that depends on them. Independent dispatches run without one. Dispatches and
// copies are kept apart, so that a copy may run behind dispatches until something needs what it writes.
//
// A submission opens and closes with a full barrier, so it does not matter where a recording is cut into
// submissions (see vk/recording.h).
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
#include "vk/recording.h"

namespace walsh::vk {

/// Number of workgroups of a dispatch.
struct Groups {
  std::uint32_t x = 1, y = 1, z = 1;
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
  /// A copy for later: it waits for the copies before it, so that what is recorded next and needs those does
  /// not wait for this one too.
  void prefetch(const Slice& to, const Slice& from);
  void clear(const Slice& slice);

  /// Names the work recorded while the returned object lives, for scope_times().
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

  /// What commands of a stage touched since the last barrier that waits for that stage.
  struct Pending {
    VkPipelineStageFlags2 stage;
    std::vector<Range> reads, writes;

    bool touched(std::span<const Slice> reads, std::span<const Slice> writes) const;
  };

  /// A barrier before the next command if one of its accesses depends on pending work; then notes them as
  /// pending in `stage`.
  void order(Pending& stage, std::span<const Slice> reads, std::span<const Slice> writes);
  /// What comes next waits for the stage.
  void wait_for(Pending& stage);
  void append(std::function<void(VkCommandBuffer, std::uint32_t, std::uint32_t)> write,
              std::uint32_t parts = 1);
  /// Writes the first timestamp of a pair, if the recorder profiles and has one left; `end_stamp` the second.
  std::optional<std::uint32_t> begin_stamp(std::string_view name, bool dispatch);
  void end_stamp(std::optional<std::uint32_t> stamp);
  void append_stamp(std::uint32_t query);

  Recording recording_;
  bool profile_;
  Precision operands_;
  VkPipelineStageFlags2 barrier_ = 0;  // stages that the next command waits for
  std::size_t open_scopes_ = 0;
  Pending dispatches_, transfers_;
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

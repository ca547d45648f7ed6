// A whole fine-tuning run: base, adapter, data, steps, evaluation, checkpoints, the files that it leaves.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "train/options.h"
#include "vk/device.h"

namespace walsh {

/// What a run tells while it goes.
class TrainListener {
 public:
  struct Step {
    std::uint32_t step = 0, steps = 0;  // step counts from 1
    double loss = 0, learning_rate = 0, grad_norm = 0;
    double tokens_per_second = 0, seconds_left = 0;
    std::uint64_t memory_bytes = 0;
  };
  virtual ~TrainListener() = default;
  /// A line for people: what was chosen, truncated, written.
  virtual void say(const std::string& line) = 0;
  virtual void step(const Step& step) = 0;
};

struct TrainReport {
  std::uint32_t steps = 0;
  double loss_first = 0, loss_last = 0;
  std::optional<double> eval_loss;
  double tokens_per_second = 0;
  std::uint64_t tokens = 0;
  std::uint64_t planned_bytes = 0, peak_bytes = 0;
  std::uint64_t trained_parameters = 0;
  double host_share = 0;     // host time of a replayed step over its whole time
  bool interrupted = false;  // stopped by `stop`; a checkpoint was written
};

/// Trains from scratch, or with `resume` from the newest checkpoint of options.out. `stop` is looked at
/// between steps. Where the device is lost, DeviceLost names the last checkpoint and how to go on from it.
TrainReport train(vk::Device& device, const RunOptions& options, bool resume, TrainListener& listener,
                  const std::atomic<bool>& stop);

}  // namespace walsh

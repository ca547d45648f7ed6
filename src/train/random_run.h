// A run on random weights and tokens: what a step takes on a device, and by which way it is fastest.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "model/weights.h"
#include "train/options.h"
#include "train/session.h"
#include "train/step.h"

namespace walsh {

struct StepTimes {
  double seconds = 0;     // the median step
  double host_share = 0;  // of a step, in which the device waits for the host
};

/// A model of this shape and format, ready to train by the options' method from random supports.
class RandomRun {
 public:
  /// `frozen`: the base alone, forward and backward.
  RandomRun(vk::Device& device, const ModelConfig& config, const WeightFormat& format,
            const RunOptions& options, bool frozen, vk::Precision operands);

  /// `steps` steps after two that are not counted; fewer once `patience` seconds are over.
  StepTimes time(std::uint32_t steps, double patience);

  Session& session() { return session_; }

 private:
  const RunOptions options_;
  std::unique_ptr<WeightSource> source_;
  Session session_;
  PassMemory memory_;
  std::unique_ptr<TrainingStep> step_;
};

/// Measures qwha.product and qwha.gradient, where a run by QWHA leaves them open, on one layer of its shape
/// and sets them to what was fastest; returns a line that says so, or nothing where nothing was left open.
/// The answer is kept by device, driver, kernels and shape (vk/tuned.h). Runs with deterministic-plan are
/// left alone.
std::string choose_qwha_ways(vk::Device& device, const ModelConfig& config, const WeightFormat& format,
                             RunOptions& options, vk::Precision operands);

}  // namespace walsh

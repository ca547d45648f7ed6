// Optimizer steps of a small model drawn from a seed, on the device and, the first few, in double on the
// host.
#pragma once

#include <string>
#include <vector>

#include "vk/device.h"

namespace walsh {

struct TrainingCheck {
  struct Step {
    std::string name;  // "full, step 2"
    double loss = 0, expected = 0;
  };
  std::vector<Step> steps;
  double max_error = 0;  // of a loss, relative; infinite where any loss is not finite
  double tolerance = 0;
  bool close = false;
  /// Of a hundred steps of QWHA from zeros on 4 bits, which the host has no reference for: certificates of
  /// different drivers are compared by them.
  std::vector<float> adapter_losses;
  bool deterministic = false;  // losses and trained values are the same bits twice
};

/// Needs no file.
TrainingCheck check_training(vk::Device& device);

}  // namespace walsh

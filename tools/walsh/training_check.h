// Optimizer steps of a small model drawn from a seed, and of one from a file, on the device and, the first
// few, in double on the host.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "model/weights.h"
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

/// A model whose reference takes seconds; refuses a larger one.
std::unique_ptr<WeightSource> open_small_model(const std::filesystem::path& path);

/// Two more steps, of every weight of `model`, where one is given.
TrainingCheck check_training(vk::Device& device, const WeightSource* model = nullptr);

}  // namespace walsh

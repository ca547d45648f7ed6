// What a run will hold on the device, from the configuration alone.
#pragma once

#include <cstdint>

#include "model/config.h"
#include "model/weights.h"
#include "train/options.h"
#include "vk/device.h"

namespace walsh {

struct Plan {
  std::uint64_t weights_bytes = 0;      // the base, embedding, head
  std::uint64_t host_bytes = 0;         // of them, what --offload keeps in the host's memory instead
  std::uint64_t parameters_bytes = 0;   // trained values and the frozen indices and tables that go with them
  std::uint64_t optimizer_bytes = 0;    // gradients and moments
  std::uint64_t activations_bytes = 0;  // activations, scratch, inputs, rings
  std::uint64_t trained_parameters = 0;
  double step_operations =
      0;  // multiplications and additions of a step's dense products, forward and input gradient

  std::uint64_t peak_bytes() const {
    return weights_bytes + parameters_bytes + optimizer_bytes + activations_bytes;
  }
};

/// `options` are resolved; `format` is that of the base that is trained on.
Plan plan_run(const ModelConfig& config, const WeightFormat& format, const RunOptions& options);

/// Refuses widths, ranks and groups that do not fit together, and a device that is too small. Settles
/// checkpointing=auto: where keeping all activations is too much for the device they are computed twice,
/// which gives the same bits.
void fit_to_device(const vk::Device& device, const ModelConfig& config, const WeightFormat& format,
                   RunOptions& options);

}  // namespace walsh

// QWHA's initialisation of a whole model, layer by layer: Gram matrices of the original model's inputs, the
// quantisation error of each projection, and from both the support and values of its adapter.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "methods/qwha_init.h"
#include "model/weights.h"
#include "vk/device.h"

namespace walsh {

struct InitialisedLayer {
  std::string name;
  QwhaCoefficients coefficients;
  double error_before = 0;  // ‖(W − W_q)X‖² over the calibration tokens
  double error = 0;         // the same with the adapter
  double output = 0;        // ‖WX‖²

  /// One of these errors as a share of the output's 2-norm.
  double relative(double squared) const {
    return output > 0 ? std::sqrt(std::max(0.0, squared) / output) : 0;
  }
};

/// `original` and `base` have the same shape, `base` is quantised; `sequences` are calibration tokens of
/// equal length. Calls `take` for every projection among `targets`, in the order of the layers.
void initialise_qwha(vk::Device& device, const WeightSource& original, const WeightSource& base,
                     std::vector<std::vector<std::uint32_t>> sequences, const std::string& targets,
                     std::uint32_t rank, const QwhaOptions& options,
                     const std::function<void(InitialisedLayer&&)>& take);

/// The same without the original weights: random supports, values zero.
void initialise_qwha_blind(const WeightSource& base, const std::string& targets, std::uint32_t rank,
                           QwhaOptions options, const std::function<void(InitialisedLayer&&)>& take);

}  // namespace walsh

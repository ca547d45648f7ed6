// A model folder, quantised: every linear layer in GPTQ format, everything else as it was.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "model/weights.h"
#include "quantize/options.h"
#include "vk/device.h"

namespace walsh {

/// Tokens to calibrate on: sequences of one length.
struct Calibration {
  vk::Device* device = nullptr;
  std::vector<std::vector<std::uint32_t>> sequences;
};

struct LayerError {
  std::string name;
  double error = 0;  // ‖W − W_q‖ / ‖W‖, Frobenius
  /// With calibration: ‖(W − W_q)X‖ / ‖WX‖; negative without.
  double output_error = -1;
  double damping = 0;  // of GPTQ, as used: more than asked for where the Gram matrix would not factor
  std::uint64_t dead_inputs = 0;  // inputs that were 0 at every token
};

struct QuantizeResult {
  std::vector<LayerError> layers;
  double bits_per_weight = 0;  // of the linear layers: codes and grids
  bool padded = false;         // some layer's packed rows are not whole words: other tools cannot load it
};

/// Refuses what quantising would refuse, before any of it is done: a model that is quantised already, group
/// sizes, a weight that is not finite or too large for a scale (unless `scan` is off: drawn weights are
/// neither).
void require_quantizable(const WeightSource& source, const QuantizeOptions& options, bool scan = true);

/// Writes config.json and model.safetensors into `out`, a folder that is there, layer by layer: in memory are
/// one layer, its activations and its Gram matrices. `calibration` may be empty where the quantiser needs
/// none; given, output errors are reported. `progress` hears each layer. Call require_quantizable first.
QuantizeResult quantize_model(const WeightSource& source, const std::string& config_text,
                              const std::filesystem::path& out, const QuantizeOptions& options,
                              Calibration calibration,
                              const std::function<void(const LayerError&)>& progress = {});

}  // namespace walsh

// A model folder, quantised: every linear layer in GPTQ format, everything else as it was.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "model/weights.h"

namespace walsh {

struct QuantizeOptions {
  std::uint32_t bits = 4;
  int group_size = 64;
  bool symmetric = false;
  std::string quantizer = "rtn";
};

struct LayerError {
  std::string name;
  double error = 0;  // ‖W − W_q‖ / ‖W‖, Frobenius
};

struct QuantizeResult {
  std::vector<LayerError> layers;
  double bits_per_weight = 0;  // of the linear layers: codes and grids
  bool padded = false;         // some layer's packed rows are not whole words: other tools cannot load it
};

/// Reads `model` (a folder that is not quantised) and writes config.json, tokenizer files and
/// model.safetensors into `out`, a folder that is there. Streams layer by layer. `progress` hears each layer.
QuantizeResult quantize_model(const std::filesystem::path& model, const std::filesystem::path& out,
                              const QuantizeOptions& options,
                              const std::function<void(const LayerError&)>& progress = {});

/// The same for any source of dense weights, with the text of its config.json.
QuantizeResult quantize_model(const WeightSource& source, const std::string& config_text,
                              const std::filesystem::path& out, const QuantizeOptions& options,
                              const std::function<void(const LayerError&)>& progress = {});

}  // namespace walsh

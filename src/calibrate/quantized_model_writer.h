// The model.safetensors of a quantised folder, written layer by layer.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "io/gptq.h"
#include "io/safetensors.h"
#include "model/weights.h"

namespace walsh {

class QuantizedModelWriter {
 public:
  /// Begins `folder`/model.safetensors, in a folder that is there, with everything of `source` but its linear
  /// layers.
  QuantizedModelWriter(const WeightSource& source, const std::filesystem::path& folder,
                       const QuantizationConfig& config);

  /// A linear layer; in any order.
  void append(const std::string& module, const QuantizedMatrix& matrix);
  /// Puts the file in its place, over an older one; every layer must have come. No source may have that one
  /// open any more.
  void publish() { writer_.publish(); }

 private:
  QuantizationConfig config_;
  SafetensorsWriter writer_;
};

}  // namespace walsh

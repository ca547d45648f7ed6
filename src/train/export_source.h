// A run opened to be exported: its options, what training evaluated, and the base beside it.
#pragma once

#include <memory>

#include "train/effective.h"
#include "train/opened_model.h"

namespace walsh {

class ExportSource {
 public:
  explicit ExportSource(const std::filesystem::path& run);

  const RunOptions& options() const { return options_; }
  /// The model that tokenizer and configuration come from: a folder or a GGUF file.
  const std::filesystem::path& model() const { return model_; }
  /// The base that was trained on, and what is not a linear layer.
  const WeightSource& base() const { return opened_->source(); }
  const ModelConfig& config() const { return opened_->config(); }

  /// Whether training stood on the GGUF file itself, not on a base made from it.
  bool base_is_gguf() const;
  /// Whether every layer still is the base's codes, on grids of the same kind that may have changed.
  bool keeps_codes(vk::Device& device) const;

  /// Every linear layer as training evaluated it.
  void visit(vk::Device& device, const std::function<void(EffectiveLayer&&)>& take) const;

 private:
  std::filesystem::path run_;
  RunOptions options_;
  std::filesystem::path model_;
  std::unique_ptr<OpenedModel> opened_;
};

/// The base's own weight of a linear layer, dequantised.
std::vector<float> base_weight(const WeightSource& base, const std::string& module, std::uint32_t rows,
                               std::uint32_t columns);

/// The greatest |a − b|.
double max_difference(std::span<const float> a, std::span<const float> b);

}  // namespace walsh

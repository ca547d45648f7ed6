// What a run trained, as a file or folder that other programs load; and the proof that it is the same.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "train/effective.h"

namespace walsh {

struct ExportOptions {
  std::string format;           // merged, gptq, gguf or adapter
  std::string gguf_type;        // of the linear layers; empty: chosen
  bool allow_rounding = false;  // otherwise an export that cannot be exact is refused
};

struct ExportReport {
  std::uint64_t bytes = 0;
  bool exact = true;          // every dequantised weight has the bits that training evaluated
  double max_difference = 0;  // of a weight
  std::string worst;          // the layer with that weight
  std::string what;           // what was written, for people
  std::string advice;         // how an inexact export could be exact, or empty

  /// Compares a layer with what the export holds in its place.
  void note(const EffectiveLayer& layer, std::span<const float> held);
};

/// Writes `out`, which must be new.
ExportReport export_run(vk::Device& device, const std::filesystem::path& run,
                        const std::filesystem::path& out, const ExportOptions& options);

struct VerifyReport {
  double max_weight_difference = 0;
  double max_logit_difference = 0;  // from probe.json
  double change_from_base = 0;      // the largest change of a weight from the base that training began with
  bool exact() const { return max_weight_difference == 0 && max_logit_difference == 0; }
};

/// Loads the export afresh and compares it with the run.
VerifyReport verify_export(vk::Device& device, const std::filesystem::path& run,
                           const std::filesystem::path& exported);

}  // namespace walsh

// The tokens that Gram matrices are taken over.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/datasets.h"
#include "train/options.h"

namespace walsh {

struct CalibrationText {
  std::vector<std::vector<std::uint32_t>> sequences;  // of one length
  std::string summary;                                // what it is, and what was asked for where that is more
};

/// Sequences of one length, cut from the training data (or what options.calibration names) with its documents
/// one after another; an incomplete tail is dropped and nothing is padded. The length is
/// options.calibration_length, shorter where the model's context or the text is; the number
/// options.calibration_sequences, fewer where the text is shorter. Refuses a text of less than
/// fewest_calibration_tokens.
CalibrationText calibration_text(const RunOptions& options, std::uint32_t context, const Dataset& training,
                                 TextEncoder& encoder);

constexpr std::size_t fewest_calibration_tokens = 16;

/// Whether `path` is a folder with data of this split.
bool has_split(const std::filesystem::path& path, const char* split);

}  // namespace walsh

// The tokens that Gram matrices are taken over.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "data/datasets.h"
#include "train/options.h"

namespace walsh {

/// Sequences of one length, cut from the training data (or what options.calibration names) with its documents
/// one after another; an incomplete tail is dropped and nothing is padded. The length is
/// options.sequence_length, shorter where the text is; the number options.calibration_sequences, fewer where
/// the text is shorter.
std::vector<std::vector<std::uint32_t>> calibration_sequences(const RunOptions& options,
                                                              const Dataset& training, TextEncoder& encoder);

/// Whether `path` is a folder with data of this split.
bool has_split(const std::filesystem::path& path, const char* split);

}  // namespace walsh

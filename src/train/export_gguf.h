// The GGUF side of walsh export.
#pragma once

#include "train/export.h"
#include "train/export_source.h"

namespace walsh {

/// Writes the file and fills the report; `require_allowed` is asked before the file appears. A run on a GGUF
/// file writes that file back with the trained grids; any other gets a file of its own: Q4_0 where it holds
/// the codes, else Q4_1, for 8-bit codes Q8_0, and where layers have no codes the base's dense type.
void export_gguf(vk::Device& device, const ExportSource& source, const std::filesystem::path& out,
                 const ExportOptions& options, ExportReport& report,
                 const std::function<void()>& require_allowed);

}  // namespace walsh

// A recorded step as a Chrome trace: what chrome://tracing and Perfetto show.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "vk/recorder.h"

namespace walsh {

/// Writes the spans, scopes in one row with their nesting and dispatches in a second.
void write_trace(const std::filesystem::path& file, std::span<const vk::ScopeTime> times);

/// The kernels that took the most time, with their shares: "gemm_texels 41 %, attention_forward 12 %, ...".
std::string busiest_kernels(std::span<const vk::ScopeTime> times);

}  // namespace walsh

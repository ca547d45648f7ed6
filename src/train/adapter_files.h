// The adapter of a run, from the device to its files and back.
#pragma once

#include <filesystem>
#include <map>

#include "methods/qwha.h"
#include "model/weights.h"
#include "vk/device.h"

namespace walsh {

/// Writes the folder, over an older one.
void save_adapter(const std::filesystem::path& folder, vk::Device& device, const QwhaMethod& qwha,
                  const WeightSource& base, std::uint32_t rank);

/// Supports and values from files; refuses an adapter of another base.
void load_adapter(const std::filesystem::path& folder, vk::Device& device, QwhaMethod& qwha,
                  const WeightSource& base);

/// Rank, targets and each module's coefficients that the session of an adapter needs.
struct AdapterShape {
  std::uint32_t rank = 0;
  std::string targets;
  std::map<std::string, std::uint32_t> budgets;
};
AdapterShape adapter_shape(const std::filesystem::path& folder);

}  // namespace walsh

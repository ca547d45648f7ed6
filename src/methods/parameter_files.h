// The files of a method whose adapter is its parameters: adapter_model.safetensors holds each under its name,
// adapter_config.json says of what.
//   format "walsh-<method>", version 1, rank, alpha, bits, group_size, targets, settings {KEY: VALUE},
//   base {module: fingerprint} of the quantised layers that the values belong to
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "methods/method.h"

namespace walsh {

/// Writes both files into a folder that is there.
void save_parameters(const std::filesystem::path& folder, vk::Device& device, const MethodSetup& setup,
                     const std::map<std::string, std::string>& bases);

/// Hands the values to setup.parameters; returns the fingerprints, each of them compared with the base.
/// Refuses files of another method, rank, grid or base.
std::map<std::string, std::string> read_parameters(const std::filesystem::path& folder,
                                                   const MethodSetup& setup, const ReadBase& base);

}  // namespace walsh

// Reports: one HTML page that holds everything it shows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/quantize_model.h"
#include "methods/method.h"

namespace walsh {

/// Of a run: loss, evaluation, learning rate, throughput and memory; output errors of each layer before and
/// after the adapter's initialisation where the run recorded them (layers.json); configuration and
/// fingerprints. Refuses a folder that is not a run; lines of metrics.jsonl that are torn are left out.
std::string run_report(const std::filesystem::path& run);

/// Of a quantised folder: errors by layer and projection, settings and the fingerprint.
std::string quantize_report(const std::string& title, const QuantizeResult& result,
                            const std::vector<std::pair<std::string, std::string>>& facts);

/// layers.json of a run: what initialisation did, layer by layer.
void write_layer_errors(const std::filesystem::path& run, const std::vector<StartError>& layers);

}  // namespace walsh

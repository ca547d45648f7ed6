// How a model's linear layers are quantised: the flags of the command line and `--set quantize.KEY=VALUE`.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quantize/gptq.h"

namespace walsh {

enum class Quantizer : std::uint8_t {
  rtn,        // the nearest code of a min/max grid
  gptq,       // errors are spread over the columns that follow
  magr_gptq,  // MagR beforehand, coordinate descent afterwards
};
Quantizer quantizer_by_name(std::string_view name);

/// What the loop over layers does beside the algorithm.
struct QuantizeOptions {
  Quantizer quantizer = Quantizer::rtn;
  GptqOptions gptq;
  /// Layer l sees what the quantised layers before it make of the text, otherwise what the original ones do.
  bool quantized_inputs = true;

  bool needs_calibration() const { return quantizer != Quantizer::rtn; }
};

/// The options of a quantiser with its defaults (see magr_gptq_options). `set` holds "quantize.KEY" → value.
QuantizeOptions quantize_options(std::string_view quantizer, std::uint32_t bits, int group_size,
                                 bool symmetric, const std::map<std::string, std::string>& set = {});

/// Sets one option from its key and value; refuses an unknown key (listing the known ones) and a value out of
/// range.
void set_quantize_option(QuantizeOptions& options, std::string_view key, std::string_view value);

/// Every key with its value.
std::vector<std::pair<std::string, std::string>> quantize_settings(const QuantizeOptions& options);

}  // namespace walsh

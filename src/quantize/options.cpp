#include "quantize/options.h"

#include "base/settings.h"

namespace walsh {
namespace {

constexpr std::string_view quantizer_names[] = {"rtn", "gptq", "magr-gptq"};
constexpr std::string_view input_names[] = {"original", "quantized"};

using O = QuantizeOptions;
using Text = std::string_view;

std::string word(bool on) { return on ? "on" : "off"; }

struct Option {
  std::string_view key;
  void (*set)(O&, Text name, Text value);
  std::string (*get)(const O&);
};

constexpr Option table[] = {
    {"act_order", [](O& o, Text n, Text v) { o.gptq.act_order = on_or_off(n, v); },
     [](const O& o) { return word(o.gptq.act_order); }},
    {"static_groups", [](O& o, Text n, Text v) { o.gptq.static_groups = on_or_off(n, v); },
     [](const O& o) { return word(o.gptq.static_groups); }},
    {"damping", [](O& o, Text n, Text v) { o.gptq.damping = number_within(n, v, 0.0, 1e3); },
     [](const O& o) { return fmt::format("{}", o.gptq.damping); }},
    {"sweeps", [](O& o, Text n, Text v) { o.gptq.sweeps = number_within(n, v, 0, 10000); },
     [](const O& o) { return fmt::format("{}", o.gptq.sweeps); }},
    {"sweep_damping", [](O& o, Text n, Text v) { o.gptq.sweep_damping = number_within(n, v, 0.0, 1e3); },
     [](const O& o) { return fmt::format("{}", o.gptq.sweep_damping); }},
    {"magr_iterations", [](O& o, Text n, Text v) { o.gptq.magr_iterations = number_within(n, v, 0, 100000); },
     [](const O& o) { return fmt::format("{}", o.gptq.magr_iterations); }},
    {"magr_alpha", [](O& o, Text n, Text v) { o.gptq.magr_alpha = number_within(n, v, 0.0, 1.0); },
     [](const O& o) { return fmt::format("{}", o.gptq.magr_alpha); }},
    {"inputs", [](O& o, Text n, Text v) { o.quantized_inputs = word_among(n, v, input_names) == 1; },
     [](const O& o) { return std::string(input_names[o.quantized_inputs]); }},
};

}  // namespace

Quantizer quantizer_by_name(std::string_view name) {
  return static_cast<Quantizer>(word_among("quantizer", name, quantizer_names));
}

QuantizeOptions quantize_options(std::string_view quantizer, std::uint32_t bits, int group_size,
                                 bool symmetric, const std::map<std::string, std::string>& set) {
  QuantizeOptions options{.quantizer = quantizer_by_name(quantizer), .gptq = {}};
  options.gptq = options.quantizer == Quantizer::magr_gptq
                     ? magr_gptq_options(bits, group_size, symmetric)
                     : GptqOptions{.bits = bits, .group_size = group_size, .symmetric = symmetric};
  constexpr std::string_view prefix = "quantize.";
  for (const auto& [key, value] : set) {
    if (key.starts_with(prefix))
      set_quantize_option(options, std::string_view(key).substr(prefix.size()), value);
  }
  return options;
}

void set_quantize_option(QuantizeOptions& options, std::string_view key, std::string_view value) {
  const auto found = std::ranges::find(table, key, &Option::key);
  if (found == std::end(table)) {
    std::vector<std::string_view> known;
    for (const Option& option : table) known.push_back(option.key);
    refuse("quantize.{}: no such option; known are {}", key, fmt::join(known, ", "));
  }
  found->set(options, fmt::format("quantize.{}", key), value);
}

std::vector<std::pair<std::string, std::string>> quantize_settings(const QuantizeOptions& options) {
  std::vector<std::pair<std::string, std::string>> settings;
  for (const Option& option : table) settings.emplace_back(option.key, option.get(options));
  return settings;
}

}  // namespace walsh

#include "methods/qwha_options.h"

#include "base/settings.h"

namespace walsh {
namespace {

constexpr std::string_view select_names[] = {"gram_diag", "magnitude", "omp", "omp4", "ols", "random"};
constexpr std::string_view budget_norm_names[] = {"weight", "activation", "magnitude"};
constexpr std::string_view transform_names[] = {"none", "hadamard"};
constexpr std::string_view product_names[] = {"activations", "weights"};
constexpr std::string_view gradient_names[] = {"sampled", "dense", "gathered"};
constexpr std::string_view init_names[] = {"fit", "zero"};

struct Option {
  std::string_view key;
  void (*set)(QwhaOptions&, std::string_view key, std::string_view value);
  std::string (*get)(const QwhaOptions&);
};

using O = QwhaOptions;
using Text = std::string_view;

constexpr Option table[] = {
    {"select",
     [](O& o, Text k, Text v) { o.select = static_cast<QwhaSelect>(word_among(k, v, select_names)); },
     [](const O& o) { return std::string(select_names[static_cast<std::size_t>(o.select)]); }},
    {"budget_norm",
     [](O& o, Text k, Text v) {
       o.budget_norm = static_cast<QwhaBudgetNorm>(word_among(k, v, budget_norm_names));
     },
     [](const O& o) { return std::string(budget_norm_names[static_cast<std::size_t>(o.budget_norm)]); }},
    {"transform", [](O& o, Text k, Text v) { o.hadamard = word_among(k, v, transform_names) == 1; },
     [](const O& o) { return std::string(transform_names[o.hadamard]); }},
    {"refine", [](O& o, Text k, Text v) { o.refine = on_or_off(k, v); },
     [](const O& o) { return std::string(o.refine ? "on" : "off"); }},
    {"init", [](O& o, Text k, Text v) { o.zero = word_among(k, v, init_names) == 1; },
     [](const O& o) { return std::string(init_names[o.zero]); }},
    {"temperature", [](O& o, Text k, Text v) { o.temperature = number_within(k, v, 0.0, 16.0); },
     [](const O& o) { return fmt::format("{}", o.temperature); }},
    {"floor",
     [](O& o, Text k, Text v) { o.floor = number_within(k, v, std::uint32_t{0}, std::uint32_t{65536}); },
     [](const O& o) { return fmt::format("{}", o.floor); }},
    {"block_rows",
     [](O& o, Text k, Text v) { o.block_rows = number_within(k, v, std::uint32_t{1}, std::uint32_t{256}); },
     [](const O& o) { return fmt::format("{}", o.block_rows); }},
    {"recode",
     [](O& o, Text k, Text v) { o.recode = number_within(k, v, std::uint32_t{0}, std::uint32_t{64}); },
     [](const O& o) { return fmt::format("{}", o.recode); }},
    {"density", [](O& o, Text k, Text v) { o.density = number_within(k, v, 0.0, 1.0); },
     [](const O& o) { return fmt::format("{}", o.density); }},
    {"damping", [](O& o, Text k, Text v) { o.damping = number_within(k, v, 0.0, 1.0); },
     [](const O& o) { return fmt::format("{}", o.damping); }},
    {"product",
     [](O& o, Text k, Text v) { o.product = static_cast<QwhaProduct>(word_among(k, v, product_names)); },
     [](const O& o) { return std::string(product_names[static_cast<std::size_t>(o.product)]); }},
    {"gradient",
     [](O& o, Text k, Text v) { o.gradient = static_cast<QwhaGradient>(word_among(k, v, gradient_names)); },
     [](const O& o) { return std::string(gradient_names[static_cast<std::size_t>(o.gradient)]); }},
    {"scale", [](O& o, Text k, Text v) { o.scale = number_within(k, v, 1e-6, 1e9); },
     [](const O& o) { return fmt::format("{}", o.scale); }},
};

}  // namespace

void set_qwha_option(QwhaOptions& options, std::string_view key, std::string_view value) {
  const auto found = std::ranges::find(table, key, &Option::key);
  if (found == std::end(table)) {
    std::vector<std::string_view> known;
    for (const Option& option : table) known.push_back(option.key);
    refuse("qwha.{}: no such option; known are {}", key, fmt::join(known, ", "));
  }
  found->set(options, fmt::format("qwha.{}", key), value);
}

QwhaOptions qwha_options(const std::map<std::string, std::string>& set, std::uint64_t seed) {
  QwhaOptions options;
  for (const auto& [key, value] : set) {
    if (key.starts_with("qwha.")) set_qwha_option(options, key.substr(5), value);
  }
  options.seed = seed;
  return options;
}

QwhaOptions parse_qwha_options(const std::vector<std::string>& assignments) {
  constexpr std::string_view prefix = "qwha.";
  QwhaOptions options;
  for (std::string_view text : assignments) {
    const std::size_t equals = text.find('=');
    require(equals != text.npos, "option \"{}\": expected qwha.KEY=VALUE", text);
    std::string_view key = text.substr(0, equals);
    if (key.starts_with(prefix)) key.remove_prefix(prefix.size());
    set_qwha_option(options, key, text.substr(equals + 1));
  }
  return options;
}

std::vector<std::pair<std::string, std::string>> qwha_settings(const QwhaOptions& options) {
  std::vector<std::pair<std::string, std::string>> settings;
  for (const Option& option : table) settings.emplace_back(option.key, option.get(options));
  return settings;
}

}  // namespace walsh

#include "train/options.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>
#include <type_traits>

#include "base/error.h"
#include "base/file.h"
#include "methods/registry.h"
#include "quantize/options.h"

namespace walsh {
namespace {

template <typename T>
void parse(T& value, const std::string& name, const std::string& text) {
  if constexpr (std::is_same_v<T, std::string>) {
    value = text;
  } else if constexpr (std::is_same_v<T, bool>) {
    require(text == "true" || text == "false", "{}: found \"{}\", expected true or false", name, text);
    value = text == "true";
  } else if constexpr (std::is_same_v<T, std::optional<std::uint64_t>>) {
    std::uint64_t number = 0;
    parse(number, name, text);
    value = number;
  } else {
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    require(result.ec == std::errc{} && result.ptr == text.data() + text.size(),
            "{}: found \"{}\", expected {}", name, text,
            std::is_floating_point_v<T> ? "a number" : "a whole number in range");
  }
}

template <typename T>
std::string text_of(const T& value) {
  if constexpr (std::is_same_v<T, std::optional<std::uint64_t>>) {
    return value ? fmt::format("{}", *value) : "";
  } else {
    return fmt::format("{}", value);
  }
}

bool is_open(const std::string& text) { return text.empty(); }

void one_of(const std::string& name, const std::string& value, const std::vector<std::string>& known) {
  for (const std::string& word : known) {
    if (value == word) return;
  }
  refuse("{}: found \"{}\", expected one of: {}", name, value, fmt::join(known, ", "));
}

}  // namespace

void set_option(RunOptions& options, const std::string& name, const std::string& value) {
  if (const auto dot = name.find('.'); dot != std::string::npos) {
    const std::string part = name.substr(0, dot), key = name.substr(dot + 1);
    if (part == "quantize") {
      QuantizeOptions scratch;
      set_quantize_option(scratch, key, value);  // refuses what it does not know
    } else {
      const MethodEntry& method = find_method(part);
      require(method.check_option, "--set {}: {} has no options of its own", name, part);
      method.check_option(key, value);
    }
    options.set[name] = value;
    return;
  }
  bool found = false;
  visit_options(options, [&](const char* key, auto& field, bool, const char*) {
    if (name != key) return;
    parse(field, name, value);
    found = true;
  });
  require(found, "unknown option \"{}\"; see walsh train --help", name);
}

void read_options(RunOptions& options, const std::filesystem::path& file) {
  YAML::Node root;
  try {
    root = YAML::Load(read_text(file));
  } catch (const YAML::Exception& error) {
    refuse("{}: not valid YAML (line {})", file.string(), error.mark.line + 1);
  }
  require(root.IsMap(), "{}: expected a map of options", file.string());
  for (const auto& entry : root) {
    const auto key = entry.first.as<std::string>();
    try {
      if (key == "set") {
        for (const auto& item : entry.second)
          set_option(options, item.first.as<std::string>(), item.second.as<std::string>());
      } else if (!entry.second.IsNull() &&
                 !(entry.second.IsScalar() && is_open(entry.second.as<std::string>()))) {
        set_option(options, key, entry.second.as<std::string>());
      }
    } catch (const YAML::Exception&) {
      refuse("{}: the value of \"{}\" is not a single value", file.string(), key);
    } catch (const Error& error) {
      refuse("{}: {}", file.string(), error.what());
    }
  }
}

std::string to_yaml(const RunOptions& options) {
  YAML::Emitter out;
  out << YAML::BeginMap;
  visit_options(options, [&](const char* name, const auto& value, bool, const char*) {
    out << YAML::Key << name << YAML::Value << text_of(value);
  });
  out << YAML::Key << "set" << YAML::Value << YAML::BeginMap;
  for (const auto& [name, value] : options.set) out << YAML::Key << name << YAML::Value << value;
  out << YAML::EndMap << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

std::vector<std::string> changed_options(const RunOptions& before, const RunOptions& now) {
  std::map<std::string, std::string> old;
  visit_options(before,
                [&](const char* name, const auto& value, bool, const char*) { old[name] = text_of(value); });
  std::vector<std::string> changed;
  visit_options(now, [&](const char* name, const auto& value, bool fixed, const char*) {
    if (fixed && old[name] != text_of(value))
      changed.push_back(fmt::format("{} ({}, now {})", name, old[name], text_of(value)));
  });
  if (before.set != now.set) changed.push_back("set");
  return changed;
}

RunOptions resolve(RunOptions o) {
  const MethodEntry& method = find_method(o.method);
  const MethodDefaults& defaults = method.defaults;
  for (const auto& [key, value] : o.set)
    require(key.starts_with(o.method + ".") || key.starts_with("quantize."),
            "{}={}: an option of another method than {}", key, value, o.method);
  one_of("quantizer", o.quantizer, {"rtn", "gptq", "magr-gptq"});
  one_of("schedule", o.schedule, {"cosine", "linear", "constant"});
  one_of("precision", o.precision, {"auto", "fp32", "fp16", "bf16"});
  one_of("scale-dtype", o.scale_dtype, {"fp16", "fp32"});
  require(o.scale_dtype == "fp16" || method.base == BaseRule::own_grid,
          "scale-dtype: {} trains on a base whose scales are fp16; leave it out", o.method);
  one_of("optimizer", o.optimizer, {"adamw", "adamw8"});
  one_of("checkpointing", o.checkpointing, {"auto", "none", "full"});
  require(!o.offload || method.offloads,
          "offload: {} trains or rewrites the weights themselves, which must be on the device; leave it out",
          o.method);
  if (o.bits != 0) one_of("bits", std::to_string(o.bits), {"2", "3", "4", "8"});
  require(o.bits == 0 || method.base != BaseRule::dense,
          "bits: {} trains the weights themselves, unquantised; leave it out", o.method);
  require(o.bits != 0 || method.base != BaseRule::own_grid,
          "bits: {} trains on a grid of its own; give --bits 2, 3, 4 or 8", o.method);
  require(o.group_size == -1 || o.group_size >= 1,
          "group-size: found {}, expected a divisor of the input widths, or -1 for per channel",
          o.group_size);
  const auto positive = [](const char* name, std::uint64_t value, std::uint64_t most) {
    require(value >= 1 && value <= most, "{}: found {}, expected 1 to {}", name, value, most);
  };
  positive("batch-size", o.batch_size, 4096);
  positive("grad-accumulation", o.grad_accumulation, 65536);
  positive("sequence-length", o.sequence_length, 1u << 20);
  positive("batch-size x sequence-length", std::uint64_t{o.batch_size} * o.sequence_length, 1u << 26);
  positive("keep", o.keep, 1000000);
  positive("calibration-sequences", o.calibration_sequences, 1u << 20);
  positive("calibration-length", o.calibration_length, 1u << 20);
  const auto finite = [](const char* name, double value) {
    require(std::isfinite(value), "{}: found {}, expected a finite number", name, value);
  };
  finite("learning-rate", o.learning_rate);
  finite("warmup", o.warmup);
  finite("weight-decay", o.weight_decay);
  finite("max-grad-norm", o.max_grad_norm);
  finite("epochs", o.epochs);
  finite("alpha", o.alpha);
  require(o.learning_rate >= 0, "learning-rate: found {}, expected a positive number", o.learning_rate);
  require(o.max_grad_norm >= 0, "max-grad-norm: found {}, expected 0 or more", o.max_grad_norm);
  require(o.epochs >= 0, "epochs: found {}, expected 0 or more", o.epochs);
  require(o.rank == 0 || defaults.rank > 0, "rank: {} has none; leave it out", o.method);
  require(o.alpha == 0 || defaults.alpha_per_rank > 0, "alpha: {} has none; leave it out", o.method);
  if (o.rank == 0) o.rank = defaults.rank;
  if (o.alpha == 0) o.alpha = defaults.alpha_per_rank * o.rank;
  if (o.learning_rate == 0) o.learning_rate = defaults.learning_rate;
  if (o.weight_decay < 0) o.weight_decay = defaults.weight_decay;
  if (o.warmup < 0) o.warmup = defaults.warmup;
  if (o.steps == 0 && o.epochs == 0) o.epochs = defaults.epochs;
  return o;
}

}  // namespace walsh

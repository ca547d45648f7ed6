// The methods by name: what each trains on, its defaults, its options, and how it is made. The command line,
// the trainer and the plan look here; a new method is one more row of registry.cpp.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "methods/method.h"

namespace walsh {

/// What a method trains on, and what --bits means to it.
enum class BaseRule : std::uint8_t {
  quantized,  // a quantised base; --bits quantises first
  any,        // any base; --bits quantises first
  own_grid,   // an unquantised base; --bits is the grid that the method trains on
  dense,      // an unquantised base; no --bits
};

struct MethodDefaults {
  std::uint32_t rank;     // 0: the method has no rank
  double alpha_per_rank;  // alpha = alpha_per_rank · rank; 0: the method has no alpha
  double learning_rate, weight_decay, warmup, epochs;
};

struct MethodEntry {
  std::string_view name;
  std::string_view summary;  // half a line
  BaseRule base;
  MethodDefaults defaults;
  /// Refuses an option of `--set NAME.KEY=VALUE` that the method does not have, or a value out of range. Null
  /// where it has none.
  void (*check_option)(std::string_view key, std::string_view value);
  std::unique_ptr<Method> (*make)(const MethodSetup& setup);
  /// The options' keys with their defaults, for the help.
  std::vector<std::pair<std::string, std::string>> (*settings)() = nullptr;
  /// Its layers never write to the base's weights, which may then stay in the host's memory.
  bool offloads = false;
};

/// A row's `make`.
template <typename M>
std::unique_ptr<Method> make_method(const MethodSetup& setup) {
  return std::make_unique<M>(setup);
}

/// A row's `check_option`, by what sets an option.
template <typename Options, void (*set_option)(Options&, std::string_view, std::string_view)>
void check_method_option(std::string_view key, std::string_view value) {
  Options scratch;
  set_option(scratch, key, value);
}

/// The options of a method that --set gives.
template <typename Options, void (*set_option)(Options&, std::string_view, std::string_view)>
Options method_options(const MethodSetup& setup) {
  Options options;
  const std::string prefix = setup.method + ".";
  for (const auto& [key, value] : setup.set)
    if (key.starts_with(prefix)) set_option(options, std::string_view(key).substr(prefix.size()), value);
  return options;
}

/// Every method, in the order of the help.
std::span<const MethodEntry* const> methods();

/// Refuses an unknown name and lists the known ones.
const MethodEntry& find_method(std::string_view name);

}  // namespace walsh

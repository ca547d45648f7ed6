// Values of `--set METHOD.KEY=VALUE` as numbers and words; a refusal names the key and what it takes.
#pragma once

#include <fmt/ranges.h>

#include <charconv>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace walsh {

inline double option_number(std::string_view key, std::string_view value, double least, double most) {
  double parsed = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
  require(error == std::errc{} && end == value.data() + value.size() && parsed >= least && parsed <= most,
          "{}={}: expected a number from {} to {}", key, value, least, most);
  return parsed;
}

/// The place of `value` among `names`.
inline std::size_t option_word(std::string_view key, std::string_view value,
                               const std::vector<std::string_view>& names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == value) return i;
  }
  refuse("{}={}: expected one of {}", key, value, fmt::join(names, ", "));
}

/// Rows of a weight that are made at a time: 0, the default, or a multiple of 128.
inline std::uint32_t option_tile_rows(std::string_view key, std::string_view value) {
  const double rows = option_number(key, value, 0, 1 << 20);
  require(static_cast<std::uint32_t>(rows) == rows && static_cast<std::uint32_t>(rows) % 128 == 0,
          "{}={}: expected a multiple of 128, or 0 for the default", key, value);
  return static_cast<std::uint32_t>(rows);
}

}  // namespace walsh

// Options given as text, KEY=VALUE: words and numbers, checked.
#pragma once

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <span>
#include <string_view>

#include "base/error.h"

namespace walsh {

/// The place of `value` among the known words. `name` is the option's, for the message.
inline std::size_t word_among(std::string_view name, std::string_view value,
                              std::span<const std::string_view> words) {
  const auto found = std::ranges::find(words, value);
  require(found != words.end(), "{}={}: expected one of {}", name, value, fmt::join(words, ", "));
  return static_cast<std::size_t>(found - words.begin());
}

template <typename T>
T number_within(std::string_view name, std::string_view value, T least, T most) {
  T parsed{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
  require(error == std::errc{} && end == value.data() + value.size() && parsed >= least && parsed <= most,
          "{}={}: expected a number from {} to {}", name, value, least, most);
  return parsed;
}

inline bool on_or_off(std::string_view name, std::string_view value) {
  constexpr std::string_view words[] = {"off", "on", "false", "true"};
  return word_among(name, value, words) % 2 == 1;
}

}  // namespace walsh

// JSON files from outside, checked: every complaint is one line that names the file and the key.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"

namespace walsh {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

/// Parses a whole file; refuses one that is absent or not JSON (with the byte where it stops being so).
Json read_json(const std::filesystem::path& path);

/// Parses text that came from `source` (a file name, or file and line).
Json parse_json(std::string_view text, const std::string& source);

/// Refuses text whose brackets nest deeper than values and messages can follow.
void require_shallow(std::string_view text, const std::string& source);

/// The value of `key`, or refuses with the source, the key and the type expected.
template <typename T>
T json_at(const Json& object, const char* key, const std::string& source) {
  require(object.is_object(), "{}: expected a JSON object, found {}", source, object.type_name());
  const auto it = object.find(key);
  require(it != object.end(), "{}: key \"{}\" is missing", source, key);
  try {
    return it->template get<T>();
  } catch (const Json::exception&) {
    refuse("{}: key \"{}\" has an unexpected value: {}", source, key, it->dump().substr(0, 60));
  }
}

/// The same, with a value for a key that is absent or null.
template <typename T>
T json_or(const Json& object, const char* key, T fallback, const std::string& source) {
  require(object.is_object(), "{}: expected a JSON object, found {}", source, object.type_name());
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? fallback : json_at<T>(object, key, source);
}

}  // namespace walsh

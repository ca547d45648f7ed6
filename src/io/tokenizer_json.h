// What the parts of a tokenizer.json share: each part is an object with a "type", and a Sequence holds a list
// of parts.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace walsh {

/// The "type" of a component; refuses Sequences nested deeper than any real file has them.
std::string component_type(const nlohmann::json& json, const char* kind, const std::string& source,
                           int depth);

/// The list that a Sequence holds under `key`.
const nlohmann::json& component_list(const nlohmann::json& json, const char* key, const std::string& source);

}  // namespace walsh

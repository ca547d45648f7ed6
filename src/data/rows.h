// The rows of a data file, one at a time, each with the place it came from for messages.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "base/json.h"

namespace walsh {

/// Calls `visit` for each object of a .jsonl file (blank lines left out) or of the list in a .json file;
/// `place` is "file:line" or "file: row N". What `visit` refuses is refused with the place in front.
void visit_rows(const std::filesystem::path& file,
                const std::function<void(const Json& row, const std::string& place)>& visit);

/// The string at `key`; refuses anything else.
std::string text_at(const Json& row, const char* key);

bool holds(const Json& row, std::initializer_list<const char*> keys);

/// The keys of a row, for messages.
std::string keys_of(const Json& row);

}  // namespace walsh

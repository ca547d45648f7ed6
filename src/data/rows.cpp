#include "data/rows.h"

#include <algorithm>

#include "base/file.h"
#include "io/utf8.h"

namespace walsh {
namespace {

void visit_row(const Json& row, const std::string& place,
               const std::function<void(const Json& row, const std::string& place)>& visit) {
  require(row.is_object(), "{}: expected a JSON object, found {}", place, row.type_name());
  try {
    visit(row, place);
  } catch (const Error& error) {
    refuse("{}: {}", place, error.what());
  }
}

}  // namespace

void visit_rows(const std::filesystem::path& file,
                const std::function<void(const Json& row, const std::string& place)>& visit) {
  if (file.extension() == ".json") {
    const Json rows = read_json(file);
    require(rows.is_array(), "{}: expected a list of rows, found {}", file.string(), rows.type_name());
    for (std::size_t i = 0; i < rows.size(); ++i)
      visit_row(rows[i], fmt::format("{}: row {}", file.string(), i + 1), visit);
    return;
  }
  const MappedFile mapped(file);
  std::string_view rest(reinterpret_cast<const char*>(mapped.bytes().data()), mapped.bytes().size());
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
  for (std::size_t line = 1; !rest.empty(); ++line) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const auto text = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto place = fmt::format("{}:{}", file.string(), line);
    visit_row(parse_json(text, place), place, visit);
  }
}

std::string text_at(const Json& row, const char* key) {
  const auto it = row.find(key);
  require(it != row.end() && it->is_string(), "\"{}\" must be a string", key);
  return it->get<std::string>();
}

bool holds(const Json& row, std::initializer_list<const char*> keys) {
  return std::all_of(keys.begin(), keys.end(), [&](const char* key) { return row.contains(key); });
}

std::string keys_of(const Json& row) {
  std::string keys;
  for (const auto& [key, value] : row.items()) {
    if (!keys.empty()) keys += ", ";
    keys += in_quotes(key);
    if (keys.size() > 120) return keys + ", ...";
  }
  return keys.empty() ? "none" : keys;
}

}  // namespace walsh

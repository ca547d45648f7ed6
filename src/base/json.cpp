#include "base/json.h"

#include "base/file.h"

namespace walsh {
namespace {

/// Values and dumps of JSON recurse once a level, so the depth is bounded before anything is built.
constexpr int deepest_nesting = 200;

bool too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > deepest_nesting) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

}  // namespace

Json parse_json(std::string_view text, const std::string& source) {
  require(!too_deep(text), "{}: JSON nested deeper than {} levels", source, deepest_nesting);
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    refuse("{}: not valid JSON (stops at byte {})", source, error.byte);
  } catch (const Json::exception&) {
    refuse("{}: not valid JSON (a number is out of range)", source);
  }
}

Json read_json(const std::filesystem::path& path) { return parse_json(read_text(path), path.string()); }

}  // namespace walsh

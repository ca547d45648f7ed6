#include "base/json.h"

#include "base/file.h"

namespace walsh {
namespace {

/// Values and dumps of JSON recurse once a level, so the depth is bounded before anything is built.
constexpr int deepest_nesting = 200;

}  // namespace

void require_shallow(std::string_view text, const std::string& source) {
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
      require(++depth <= deepest_nesting, "{}: JSON nested deeper than {} levels", source, deepest_nesting);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
}

Json parse_json(std::string_view text, const std::string& source) {
  require_shallow(text, source);
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

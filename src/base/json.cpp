#include "base/json.h"

#include "base/file.h"

namespace walsh {

Json parse_json(std::string_view text, const std::string& source) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    refuse("{}: not valid JSON (stops at byte {})", source, error.byte);
  }
}

Json read_json(const std::filesystem::path& path) { return parse_json(read_text(path), path.string()); }

}  // namespace walsh

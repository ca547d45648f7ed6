#include "methods/registry.h"

#include <fmt/ranges.h>

#include "base/error.h"
#include "methods/qwha.h"

namespace walsh {

std::span<const MethodEntry* const> methods() {
  static const MethodEntry* const all[] = {
      &qwha_method,
  };
  return all;
}

const MethodEntry& find_method(std::string_view name) {
  std::vector<std::string_view> known;
  for (const MethodEntry* entry : methods()) {
    if (entry->name == name) return *entry;
    known.push_back(entry->name);
  }
  refuse("method: found \"{}\", expected one of: {}", name, fmt::join(known, ", "));
}

}  // namespace walsh

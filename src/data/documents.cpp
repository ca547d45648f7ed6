#include "data/documents.h"

#include <algorithm>

namespace walsh {

std::size_t Document::targets() const {
  if (trained.empty()) return 0;
  return static_cast<std::size_t>(std::count(trained.begin() + 1, trained.end(), true));
}

std::uint64_t Dataset::tokens() const {
  std::uint64_t sum = 0;
  for (const Document& document : documents) sum += document.ids.size();
  return sum;
}

std::uint64_t Dataset::targets() const {
  std::uint64_t sum = 0;
  for (const Document& document : documents) sum += document.targets();
  return sum;
}

}  // namespace walsh

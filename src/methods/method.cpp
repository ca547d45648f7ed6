#include "methods/method.h"

#include <algorithm>
#include <sstream>

#include "base/error.h"

namespace walsh {

bool is_target(const std::string& targets, const std::string& module) {
  static const std::vector<std::string> known = {"q", "k", "v", "o", "gate", "up", "down"};
  const std::string last = module.substr(module.rfind('.') + 1);
  bool found = false;
  std::stringstream words(targets);
  for (std::string word; std::getline(words, word, ',');) {
    require(std::find(known.begin(), known.end(), word) != known.end(),
            "targets: unknown projection \"{}\"; known: q,k,v,o,gate,up,down", word);
    found = found || last == word + "_proj";
  }
  return found;
}

}  // namespace walsh

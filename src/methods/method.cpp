#include "methods/method.h"

#include <algorithm>
#include <sstream>

#include "base/error.h"
#include "io/adapter.h"
#include "methods/parameter_files.h"

namespace walsh {

Weight Method::reserve_weight(vk::Arena& arena, const std::string&, DType dtype, const Shape& shape) {
  return {reserve(arena, dtype, shape), {}};
}

void Method::start(const ProjectionStart& projection) {
  start_projection(projection);
  if (projection.base) bases_[projection.name] = fingerprint(*projection.base);
}

void Method::save(const std::filesystem::path& folder, vk::Device& device) const {
  save_parameters(folder, device, setup_, bases_);
}

void Method::read(const std::filesystem::path& folder, const ReadBase& base) {
  bases_ = read_parameters(folder, setup_, base);
}

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

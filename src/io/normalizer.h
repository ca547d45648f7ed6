// The normalizer of a tokenizer.json: a list of rewrites of the text before it is cut into words.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "io/regex.h"
#include "io/utf8.h"

namespace walsh {

class Normalizer {
 public:
  Normalizer() = default;
  /// `json` is the value of "normalizer", null included.
  Normalizer(const nlohmann::json& json, const std::string& source);

  std::string apply(std::string text) const;

 private:
  struct Prepend {
    std::string prefix;
  };
  struct Replace {
    Regex pattern;
    std::string content;
  };
  using Step = std::variant<NormalForm, Prepend, Replace>;

  void add(const nlohmann::json& json, const std::string& source, int depth);

  std::vector<Step> steps_;
};

}  // namespace walsh

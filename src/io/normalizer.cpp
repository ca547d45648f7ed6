#include "io/normalizer.h"

#include <utility>

#include "base/json.h"
#include "io/tokenizer_json.h"

namespace walsh {

Normalizer::Normalizer(const Json& json, const std::string& source) { add(json, source, 0); }

void Normalizer::add(const Json& json, const std::string& source, int depth) {
  if (json.is_null()) return;
  const auto type = component_type(json, "normalizer", source, depth);
  if (type == "Sequence") {
    for (const Json& part : component_list(json, "normalizers", source)) add(part, source, depth + 1);
  } else if (type == "NFC") {
    steps_.emplace_back(NormalForm::nfc);
  } else if (type == "NFD") {
    steps_.emplace_back(NormalForm::nfd);
  } else if (type == "NFKC") {
    steps_.emplace_back(NormalForm::nfkc);
  } else if (type == "NFKD") {
    steps_.emplace_back(NormalForm::nfkd);
  } else if (type == "Prepend") {
    steps_.emplace_back(Prepend{json_at<std::string>(json, "prepend", source)});
  } else if (type == "Replace") {
    steps_.emplace_back(Replace{regex_from_json(json_at<Json>(json, "pattern", source), source),
                                json_at<std::string>(json, "content", source)});
  } else {
    refuse("{}: normalizer {} is not supported (NFC, NFD, NFKC, NFKD, Prepend, Replace, Sequence are)",
           source, in_quotes(type));
  }
}

std::string Normalizer::apply(std::string text) const {
  for (const Step& step : steps_) {
    if (const auto* form = std::get_if<NormalForm>(&step)) {
      text = normalize(text, *form);
    } else if (const auto* prepend = std::get_if<Prepend>(&step)) {
      if (!text.empty()) text.insert(0, prepend->prefix);
    } else {
      const auto& replace = std::get<Replace>(step);
      text = replace.pattern.replace(text, replace.content);
    }
  }
  return text;
}

}  // namespace walsh

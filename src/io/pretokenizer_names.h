// The pre-tokenizers that GGUF files name, as the "pre_tokenizer" of a tokenizer.json.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace walsh {

struct NamedPretokenizer {
  std::string_view name;             // the one that is written
  bool ignore_merges = false;        // words that are tokens are taken whole
  bool adds_bos = false;             // unless the file says otherwise
  std::string_view normalizer = {};  // "NFC", or empty
  Json pre_tokenizer = {};
};

/// By any of its names; refuses one that is not known.
NamedPretokenizer pretokenizer_named(std::string_view name, const std::string& source);

/// The name of a tokenizer.json's pre-tokenizer; refuses one without a name.
std::string_view name_of_pretokenizer(const Json& tokenizer, const std::string& source);

}  // namespace walsh

// The tokenizer in a GGUF file's metadata and the tokenizer files of a Hugging Face folder, each from the
// other:
//   "gpt2"    byte-level byte-pair encoding, the pre-tokenizer by its name: tokenizer.json
//   "llama"   pieces with scores (SentencePiece): tokenizer.model
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "io/gguf_writer.h"

namespace walsh {

struct TokenizerFiles {
  std::optional<Json> tokenizer;     // tokenizer.json
  std::string model;                 // or tokenizer.model
  Json config = Json::object();      // tokenizer_config.json: special tokens, chat template
  Json generation = Json::object();  // generation_config.json: the ids that end a text
};

/// Whether the file holds a tokenizer at all.
bool has_tokenizer(const Gguf& file);
TokenizerFiles tokenizer_files(const Gguf& file);

/// The metadata of a folder's tokenizer, for a model of `rows` embedding rows; refuses a tokenizer that GGUF
/// has no name for.
std::vector<GgufValue> tokenizer_values(const std::filesystem::path& folder, std::uint32_t rows);

}  // namespace walsh

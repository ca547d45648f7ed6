// What a tokenizer file, of either kind, gives to Tokenizer.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/added_tokens.h"

namespace walsh {

class TokenizerBackend {
 public:
  virtual ~TokenizerBackend() = default;

  /// `text` is well-formed.
  virtual std::vector<std::uint32_t> encode(std::string_view text, bool parse_special,
                                            bool at_start) const = 0;
  virtual std::string decode(std::span<const std::uint32_t> ids, bool skip_special) const = 0;
  virtual std::optional<std::uint32_t> id_of(std::string_view token) const = 0;
  /// Highest id + 1.
  virtual std::uint32_t vocabulary_size() const = 0;
  /// The token that the file itself puts before a text, if any.
  virtual std::optional<std::uint32_t> leading_token() const = 0;
  virtual std::optional<std::uint32_t> end_token() const = 0;
};

/// `json` is a tokenizer.json; `source` names it in messages.
std::unique_ptr<TokenizerBackend> make_tokenizer(const nlohmann::json& json, const std::string& source);

/// `model` is the content of a tokenizer.model. `added` are the special tokens that tokenizer_config.json or
/// added_tokens.json name beside the model's own.
std::unique_ptr<TokenizerBackend> make_sentencepiece(std::string_view model,
                                                     const std::vector<AddedToken>& added,
                                                     const std::string& source);

/// A vocabulary as SentencePiece and GGUF list it.
struct PieceList {
  /// "tokenizer.ggml.token_type" of a GGUF file; SentencePiece has the same numbers.
  enum Type : std::int32_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;                     // Type
  std::vector<float> scores;                           // empty without
  bool space_in_front = true, spaces_removed = false;  // of a SentencePiece normalizer
};

/// What is in a tokenizer.model.
PieceList sentencepiece_pieces(std::string_view model, const std::string& source);

}  // namespace walsh

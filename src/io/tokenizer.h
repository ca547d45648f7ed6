// Text to token ids and back, as the model's own tokenizer does it: tokenizer.json (byte-pair encoding,
// byte-level or with byte fallback) or tokenizer.model (SentencePiece), the first where a folder holds both;
// or what a GGUF file's metadata say.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace walsh {

class TokenizerBackend;

class Tokenizer {
 public:
  /// `model` is a folder or a GGUF file.
  static Tokenizer load(const std::filesystem::path& model);
  /// Whether it holds a tokenizer at all.
  static bool present(const std::filesystem::path& model);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// The ids of `text`; neither a beginning nor an end token is added. Ill-formed UTF-8 is read as U+FFFD.
  /// With `parse_special` the text of a special token ("<|im_end|>") is that token, otherwise it is plain
  /// text. `at_start` is false where `text` goes on from a text that ended with a special token.
  std::vector<std::uint32_t> encode(std::string_view text, bool parse_special = true,
                                    bool at_start = true) const;
  /// Ids that the tokenizer does not know are left out.
  std::string decode(std::span<const std::uint32_t> ids, bool skip_special = true) const;

  /// Highest id + 1.
  std::uint32_t vocabulary_size() const;
  /// Refuses a tokenizer with ids that a model of this many embedding rows does not have.
  void check_vocabulary(std::uint32_t rows) const;
  std::optional<std::uint32_t> id_of(std::string_view token) const;

  std::optional<std::uint32_t> bos_id() const { return bos_id_; }
  /// Whether a text starts with the token bos_id().
  bool adds_bos() const { return adds_bos_; }
  /// The tokens that end a text when sampled; the first is the one that training puts at a text's end.
  const std::vector<std::uint32_t>& end_ids() const { return end_ids_; }
  std::optional<std::uint32_t> end_of_text() const {
    return end_ids_.empty() ? std::nullopt : std::optional(end_ids_.front());
  }

 private:
  struct SpecialTokens;
  Tokenizer(std::filesystem::path model, std::unique_ptr<TokenizerBackend> backend,
            const SpecialTokens& special);

  std::filesystem::path model_;
  std::unique_ptr<TokenizerBackend> backend_;
  std::optional<std::uint32_t> bos_id_;
  bool adds_bos_ = false;
  std::vector<std::uint32_t> end_ids_;
};

}  // namespace walsh

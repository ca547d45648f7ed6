// Text of a model's training data to documents: where the beginning and end tokens go, what is masked.
//
// A prompt's and a completion's tokens are told apart on the tokens of the whole: those that the prompt alone
// would give are masked. A token that straddles the border is then predicted, as it must be when the model is
// sampled.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string_view>

#include "data/documents.h"
#include "io/chat_template.h"
#include "io/tokenizer.h"

namespace walsh {

class TextEncoder {
 public:
  /// `vocabulary` is the number of rows of the model's embedding. A folder without a tokenizer encodes token
  /// ids only.
  TextEncoder(std::filesystem::path model_folder, std::uint32_t vocabulary);

  /// A beginning token if the tokenizer adds one, the text, the end-of-text token; all predicted.
  Document text(std::string_view text) const;
  /// The same with the prompt masked; `ended` is false where the completion is only scored.
  Document completion(std::string_view prompt, std::string_view completion, bool ended = true) const;
  /// A conversation in the model's chat template, which brings its own beginning token; answers are
  /// predicted.
  Document chat(std::span<const Message> messages);
  /// Ids as they are.
  Document tokens(std::vector<std::uint32_t> ids) const;

  const Tokenizer& tokenizer() const;

 private:
  std::vector<std::uint32_t> beginning() const;
  void append(Document& document, std::span<const std::uint32_t> ids, std::size_t masked) const;
  void append_end(Document& document) const;
  Document checked(Document document) const;

  std::filesystem::path folder_;
  std::uint32_t vocabulary_;
  std::optional<Tokenizer> tokenizer_;
  std::optional<ChatTemplate> chat_template_;
};

}  // namespace walsh

#include "data/text_encoder.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace walsh {
namespace {

std::size_t common_prefix(std::span<const std::uint32_t> a, std::span<const std::uint32_t> b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

}  // namespace

TextEncoder::TextEncoder(std::filesystem::path model_folder, std::uint32_t vocabulary)
    : folder_(std::move(model_folder)), vocabulary_(vocabulary) {
  if (!Tokenizer::present(folder_)) return;
  tokenizer_ = Tokenizer::load(folder_);
  tokenizer_->check_vocabulary(vocabulary);
}

const Tokenizer& TextEncoder::tokenizer() const {
  require(tokenizer_.has_value(), "{} holds no tokenizer, so only rows {{\"tokens\": [...]}} can be read",
          folder_.string());
  return *tokenizer_;
}

std::vector<std::uint32_t> TextEncoder::beginning() const {
  if (!tokenizer().adds_bos()) return {};
  return {*tokenizer().bos_id()};
}

void TextEncoder::append(Document& document, std::span<const std::uint32_t> ids, std::size_t masked) const {
  // A text that spells the beginning token out does not get a second one.
  const bool twice =
      document.ids.size() == 1 && !ids.empty() && tokenizer().adds_bos() && ids[0] == document.ids[0];
  if (twice) {
    ids = ids.subspan(1);
    masked -= std::min<std::size_t>(masked, 1);
  }
  document.ids.insert(document.ids.end(), ids.begin(), ids.end());
  document.trained.resize(document.trained.size() + masked, false);
  document.trained.resize(document.ids.size(), true);
}

void TextEncoder::append_end(Document& document) const {
  const auto end = tokenizer().end_of_text();
  if (!end || (!document.ids.empty() && document.ids.back() == *end)) return;
  document.ids.push_back(*end);
  document.trained.push_back(true);
}

Document TextEncoder::checked(Document document) const {
  if (!document.trained.empty()) document.trained[0] = false;
  const auto beyond =
      std::find_if(document.ids.begin(), document.ids.end(), [&](auto id) { return id >= vocabulary_; });
  require(beyond == document.ids.end(), "token id {} is beyond the model's vocabulary of {}",
          beyond == document.ids.end() ? 0 : *beyond, vocabulary_);
  return document;
}

Document TextEncoder::text(std::string_view text) const {
  Document document{beginning(), {}};
  document.trained.resize(document.ids.size(), false);
  append(document, tokenizer().encode(text), 0);
  append_end(document);
  return checked(std::move(document));
}

Document TextEncoder::completion(std::string_view prompt, std::string_view completion, bool ended) const {
  Document document{beginning(), {}};
  document.trained.resize(document.ids.size(), false);
  const auto whole = tokenizer().encode(std::string(prompt).append(completion));
  append(document, whole, common_prefix(tokenizer().encode(prompt), whole));
  if (ended) append_end(document);
  return checked(std::move(document));
}

Document TextEncoder::chat(std::span<const Message> messages) {
  if (!chat_template_) chat_template_ = ChatTemplate::load(folder_);
  Document document;
  // An answer ends with a special token, so the text is cut there without changing its tokens.
  std::string masked;
  bool at_start = true;
  for (const ChatSegment& segment : chat_template_->render(messages, false)) {
    if (!segment.trained) {
      masked = segment.text;
      continue;
    }
    const auto whole = tokenizer().encode(masked + segment.text, true, at_start);
    append(document, whole, common_prefix(tokenizer().encode(masked, true, at_start), whole));
    masked.clear();
    at_start = false;
  }
  const auto rest = tokenizer().encode(masked, true, at_start);
  append(document, rest, rest.size());
  return checked(std::move(document));
}

Document TextEncoder::tokens(std::vector<std::uint32_t> ids) const {
  Document document{std::move(ids), {}};
  document.trained.resize(document.ids.size(), true);
  return checked(std::move(document));
}

}  // namespace walsh

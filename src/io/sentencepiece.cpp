// tokenizer.model: a SentencePiece model, run by the SentencePiece library. The library reads "<s>" in a text
// as three characters; control and unknown pieces are therefore found first, like added tokens. A build
// without the library (WALSH_SENTENCEPIECE=OFF) refuses such a file.
#ifdef WALSH_SENTENCEPIECE
#include <sentencepiece_processor.h>
#endif

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "io/tokenizer_backend.h"
#include "io/utf8.h"

namespace walsh {

#ifdef WALSH_SENTENCEPIECE
namespace {

class SentencePieceTokenizer : public TokenizerBackend {
 public:
  SentencePieceTokenizer(std::string_view model, const std::vector<AddedToken>& added, std::string source)
      : source_(std::move(source)) {
    const auto status = processor_.LoadFromSerializedProto({model.data(), model.size()});
    require(status.ok() && processor_.GetPieceSize() > 0, "{}: not a SentencePiece model", source_);
    size_ = pieces();
    for (std::uint32_t id = 0; id < pieces(); ++id) {
      const int piece = static_cast<int>(id);
      if (!processor_.IsControl(piece) && !processor_.IsUnknown(piece)) continue;
      add({.id = id, .content = processor_.IdToPiece(piece), .special = true});
    }
    for (const AddedToken& token : added) {
      if (token.content.empty() || specials_.contains(token.id)) continue;
      // Ids are row numbers of the embedding: one far beyond the pieces is an error.
      require(token.id < pieces() * 2 + 65536, "{}: added token {} has id {}, but the model has {} pieces",
              source_, in_quotes(token.content), token.id, pieces());
      add(token);
    }
  }

  std::vector<std::uint32_t> encode(std::string_view text, bool parse_special, bool) const override {
    std::vector<std::uint32_t> ids;
    std::size_t done = 0;
    for (const auto& match : finder_.find(text, parse_special)) {
      encode_plain(text.substr(done, match.range.begin - done), ids);
      ids.push_back(match.token->id);
      done = match.range.end;
    }
    encode_plain(text.substr(done), ids);
    return ids;
  }

  std::string decode(std::span<const std::uint32_t> ids, bool skip_special) const override {
    std::string text;
    std::vector<int> plain;
    for (const std::uint32_t id : ids) {
      const auto special = specials_.find(id);
      if (special == specials_.end()) {
        if (id < pieces()) plain.push_back(static_cast<int>(id));
      } else if (!(skip_special && special->second.special)) {
        decode_plain(plain, text);
        text += special->second.content;
      }
    }
    decode_plain(plain, text);
    return text;
  }

  std::optional<std::uint32_t> id_of(std::string_view token) const override {
    if (const auto it = special_ids_.find(std::string(token)); it != special_ids_.end()) return it->second;
    const int id = processor_.PieceToId({token.data(), token.size()});
    return processor_.IsUnknown(id) ? std::nullopt : std::optional(static_cast<std::uint32_t>(id));
  }

  std::uint32_t vocabulary_size() const override { return size_; }
  std::optional<std::uint32_t> leading_token() const override { return reserved(processor_.bos_id()); }
  std::optional<std::uint32_t> end_token() const override { return reserved(processor_.eos_id()); }

 private:
  std::uint32_t pieces() const { return static_cast<std::uint32_t>(processor_.GetPieceSize()); }

  static std::optional<std::uint32_t> reserved(int id) {
    return id < 0 ? std::nullopt : std::optional(static_cast<std::uint32_t>(id));
  }

  void add(const AddedToken& token) {
    finder_.add(token, token.content);
    special_ids_.emplace(token.content, token.id);
    specials_.emplace(token.id, token);
    size_ = std::max(size_, token.id + 1);
  }

  void encode_plain(std::string_view text, std::vector<std::uint32_t>& ids) const {
    if (text.empty()) return;
    require(text.size() < std::size_t{std::numeric_limits<int>::max()},
            "a text of {} bytes is too long to be encoded", text.size());
    std::vector<int> pieces;
    const auto status = processor_.Encode({text.data(), text.size()}, &pieces);
    require(status.ok(), "{}: SentencePiece cannot encode this text", source_);
    ids.insert(ids.end(), pieces.begin(), pieces.end());
  }

  void decode_plain(std::vector<int>& ids, std::string& text) const {
    if (ids.empty()) return;
    std::string part;
    require(processor_.Decode(ids, &part).ok(), "{}: SentencePiece cannot decode these ids", source_);
    text += part;
    ids.clear();
  }

  std::string source_;
  sentencepiece::SentencePieceProcessor processor_;
  AddedTokenFinder finder_;
  std::unordered_map<std::uint32_t, AddedToken> specials_;
  std::unordered_map<std::string, std::uint32_t> special_ids_;
  std::uint32_t size_ = 0;
};

}  // namespace

std::unique_ptr<TokenizerBackend> make_sentencepiece(std::string_view model,
                                                     const std::vector<AddedToken>& added,
                                                     const std::string& source) {
  return std::make_unique<SentencePieceTokenizer>(model, added, source);
}

PieceList sentencepiece_pieces(std::string_view model, const std::string& source) {
  sentencepiece::SentencePieceProcessor processor;
  require(processor.LoadFromSerializedProto({model.data(), model.size()}).ok(),
          "{}: not a SentencePiece model", source);
  using enum PieceList::Type;
  PieceList list;
  for (int id = 0; id < processor.GetPieceSize(); ++id) {
    list.tokens.push_back(processor.IdToPiece(id));
    list.scores.push_back(processor.GetScore(id));
    list.types.push_back(processor.IsUnknown(id)   ? unknown
                         : processor.IsControl(id) ? control
                         : processor.IsUnused(id)  ? unused
                         : processor.IsByte(id)    ? byte
                                                   : normal);
  }
  // The processor does not tell its normalizer's settings, but they show.
  list.spaces_removed = processor.EncodeAsIds("a  b") == processor.EncodeAsIds("a b");
  const std::vector<std::string> pieces = processor.EncodeAsPieces("a");
  list.space_in_front = !pieces.empty() && pieces[0].starts_with("\u2581");
  return list;
}

#else

std::unique_ptr<TokenizerBackend> make_sentencepiece(std::string_view, const std::vector<AddedToken>&,
                                                     const std::string& source) {
  refuse(
      "{}: a SentencePiece model, and this walsh was built without SentencePiece; use a model with a "
      "tokenizer.json",
      source);
}

PieceList sentencepiece_pieces(std::string_view, const std::string& source) {
  refuse(
      "{}: a SentencePiece model, and this walsh was built without SentencePiece; use a model with a "
      "tokenizer.json",
      source);
}

#endif

}  // namespace walsh

#include "io/tokenizer_json.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "io/bpe.h"
#include "io/detokenizer.h"
#include "io/normalizer.h"
#include "io/pretokenizer.h"
#include "io/tokenizer_backend.h"
#include "io/utf8.h"

namespace walsh {
namespace {

constexpr int deepest_sequence = 8;
constexpr std::size_t longest_added_token = 512;

const Json& component(const Json& json, const char* key) {
  static const Json none;
  const auto it = json.find(key);
  return it == json.end() ? none : *it;
}

// The token that the post-processor puts before a text (TemplateProcessing whose "single" opens with a
// special token).
std::optional<std::uint32_t> leading_token_of(const Json& json, const std::string& source, int depth = 0) {
  if (json.is_null()) return std::nullopt;
  const auto type = component_type(json, "post-processor", source, depth);
  if (type == "ByteLevel") return std::nullopt;
  if (type == "Sequence") {
    for (const Json& part : component_list(json, "processors", source)) {
      if (const auto id = leading_token_of(part, source, depth + 1)) return id;
    }
    return std::nullopt;
  }
  require(type == "TemplateProcessing",
          "{}: post-processor {} is not supported (ByteLevel, Sequence, TemplateProcessing are)", source,
          in_quotes(type));
  const Json& single = component_list(json, "single", source);
  if (single.empty() || !single[0].is_object() || !single[0].contains("SpecialToken")) return std::nullopt;
  const auto name = json_at<std::string>(json_at<Json>(single[0], "SpecialToken", source), "id", source);
  const auto tokens = json_at<Json>(json, "special_tokens", source);
  const auto ids =
      json_at<std::vector<std::uint32_t>>(json_at<Json>(tokens, name.c_str(), source), "ids", source);
  require(ids.size() == 1, "{}: the post-processor's token {} must have one id", source, in_quotes(name));
  return ids[0];
}

// tokenizer.json: normalizer, pre-tokenizer, byte-pair model, decoder, and the added tokens found before all
// of them.
class JsonTokenizer : public TokenizerBackend {
 public:
  JsonTokenizer(const Json& json, const std::string& source)
      : normalizer_(component(json, "normalizer"), source),
        pretokenizer_(component(json, "pre_tokenizer"), source),
        bpe_(component(json, "model"), source),
        detokenizer_(component(json, "decoder"), source) {
    for (const auto& [token, id] : bpe_.vocabulary()) place(token, id);
    if (!component(json, "added_tokens").is_null()) {
      for (const Json& token : component_list(json, "added_tokens", source)) add(token, source);
    }
    leading_token_ = leading_token_of(component(json, "post_processor"), source);
    require(!leading_token_ || *leading_token_ < tokens_.size(),
            "{}: the post-processor's token {} is not known", source, leading_token_.value_or(0));
  }

  std::vector<std::uint32_t> encode(std::string_view text, bool parse_special, bool at_start) const override {
    std::vector<std::uint32_t> ids;
    Bpe::Scratch scratch;
    visit(text, raw_tokens_.find(text, parse_special), ids, [&](ByteRange range) {
      const auto piece = normalizer_.apply(std::string(text.substr(range.begin, range.end - range.begin)));
      visit(piece, normalized_tokens_.find(piece, parse_special), ids, [&](ByteRange part) {
        Word word{piece.substr(part.begin, part.end - part.begin),
                  at_start && range.begin == 0 && part.begin == 0};
        for (const Word& w : pretokenizer_.apply(std::move(word))) bpe_.encode(w.text, scratch, ids);
      });
    });
    return ids;
  }

  std::string decode(std::span<const std::uint32_t> ids, bool skip_special) const override {
    std::vector<std::string> tokens;
    tokens.reserve(ids.size());
    for (const std::uint32_t id : ids) {
      if (id < tokens_.size() && known_[id] && !(skip_special && special_[id])) tokens.push_back(tokens_[id]);
    }
    return detokenizer_.apply(std::move(tokens));
  }

  std::optional<std::uint32_t> id_of(std::string_view token) const override {
    const auto it = added_ids_.find(std::string(token));
    return it != added_ids_.end() ? std::optional(it->second) : bpe_.id_of(token);
  }

  std::uint32_t vocabulary_size() const override { return static_cast<std::uint32_t>(tokens_.size()); }
  std::optional<std::uint32_t> leading_token() const override { return leading_token_; }
  std::optional<std::uint32_t> end_token() const override { return std::nullopt; }

 private:
  // Appends the matched tokens' ids and calls `between` for the stretches between them.
  template <typename Between>
  static void visit(std::string_view text, const std::vector<AddedTokenFinder::Match>& matches,
                    std::vector<std::uint32_t>& ids, const Between& between) {
    std::size_t done = 0;
    for (const auto& match : matches) {
      if (match.range.begin > done) between(ByteRange{done, match.range.begin});
      ids.push_back(match.token->id);
      done = match.range.end;
    }
    if (done < text.size()) between(ByteRange{done, text.size()});
  }

  void place(const std::string& token, std::uint32_t id) {
    if (id >= tokens_.size()) {
      tokens_.resize(id + 1);
      known_.resize(id + 1);
      special_.resize(id + 1);
    }
    tokens_[id] = token;
    known_[id] = true;
  }

  void add(const Json& json, const std::string& source) {
    AddedToken token{
        .id = json_at<std::uint32_t>(json, "id", source),
        .content = json_at<std::string>(json, "content", source),
        .special = json_or(json, "special", false, source),
        .single_word = json_or(json, "single_word", false, source),
        .lstrip = json_or(json, "lstrip", false, source),
        .rstrip = json_or(json, "rstrip", false, source),
        .normalized = json_or(json, "normalized", !json_or(json, "special", false, source), source)};
    if (token.content.empty()) return;
    const std::size_t limit = bpe_.vocabulary().size() * 4 + (1u << 17);
    require(token.id < limit, "{}: added token {} must have an id from 0 to {}", source,
            in_quotes(token.content), limit - 1);
    require(token.content.size() <= longest_added_token, "{}: added token {} is longer than {} bytes", source,
            in_quotes(token.content), longest_added_token);
    const auto model_id = bpe_.id_of(token.content);
    require(!model_id || *model_id == token.id, "{}: added token {} has id {}, but the vocabulary says {}",
            source, in_quotes(token.content), token.id, model_id.value_or(0));
    place(token.content, token.id);
    special_[token.id] = token.special;
    added_ids_.emplace(token.content, token.id);
    auto& finder = token.normalized ? normalized_tokens_ : raw_tokens_;
    const auto pattern = token.normalized ? normalizer_.apply(token.content) : token.content;
    finder.add(std::move(token), pattern);
  }

  Normalizer normalizer_;
  Pretokenizer pretokenizer_;
  Bpe bpe_;
  Detokenizer detokenizer_;
  AddedTokenFinder raw_tokens_;
  AddedTokenFinder normalized_tokens_;
  std::unordered_map<std::string, std::uint32_t> added_ids_;
  std::vector<std::string> tokens_;  // by id
  std::vector<bool> known_;
  std::vector<bool> special_;
  std::optional<std::uint32_t> leading_token_;
};

}  // namespace

std::string component_type(const Json& json, const char* kind, const std::string& source, int depth) {
  require(depth <= deepest_sequence, "{}: {}s are nested too deeply", source, kind);
  require(json.is_object() && json.contains("type"), "{}: a {} must be an object with a \"type\"", source,
          kind);
  return json_at<std::string>(json, "type", source);
}

const Json& component_list(const Json& json, const char* key, const std::string& source) {
  const auto it = json.find(key);
  require(it != json.end() && it->is_array(), "{}: \"{}\" must be a list", source, key);
  return *it;
}

std::unique_ptr<TokenizerBackend> make_tokenizer(const Json& json, const std::string& source) {
  require(json.is_object(), "{}: expected a JSON object", source);
  return std::make_unique<JsonTokenizer>(json, source);
}

}  // namespace walsh

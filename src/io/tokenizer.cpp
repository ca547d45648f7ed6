#include "io/tokenizer.h"

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "io/gguf_tokenizer.h"
#include "io/tokenizer_backend.h"
#include "io/utf8.h"

namespace walsh {
namespace {

Json read_if_present(const std::filesystem::path& path) {
  return std::filesystem::exists(path) ? read_json(path) : Json::object();
}

// A token is written as a string or as an object with its "content".
std::optional<std::string> token_text(const Json& json, const char* key, const std::string& source) {
  require(json.is_object(), "{}: expected a JSON object", source);
  const auto it = json.find(key);
  if (it == json.end() || it->is_null()) return std::nullopt;
  if (it->is_object()) return json_at<std::string>(*it, "content", source);
  return json_at<std::string>(json, key, source);
}

std::vector<std::uint32_t> id_or_ids(const Json& json, const char* key, const std::string& source) {
  require(json.is_object(), "{}: expected a JSON object", source);
  const auto it = json.find(key);
  if (it == json.end() || it->is_null()) return {};
  std::vector<std::uint32_t> ids;
  for (const Json& id : it->is_array() ? *it : Json::array({*it})) {
    require(id.is_number_unsigned() && id.get<std::uint64_t>() < 0x80000000u,
            "{}: \"{}\" must be an id or ids", source, key);
    ids.push_back(id.get<std::uint32_t>());
  }
  return ids;
}

// Special tokens that lie beside a SentencePiece model.
std::vector<AddedToken> tokens_beside(const std::filesystem::path& folder) {
  std::vector<AddedToken> tokens;
  const auto config_path = folder / "tokenizer_config.json";
  const auto source = config_path.string();
  const auto decoder =
      json_or<Json>(read_if_present(config_path), "added_tokens_decoder", Json::object(), source);
  require(decoder.is_object(), "{}: \"added_tokens_decoder\" must be an object", source);
  for (const auto& [id, token] : decoder.items()) {
    require(!id.empty() && id.size() < 9 &&
                std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; }),
            "{}: \"added_tokens_decoder\" has the key {}, expected an id", source, in_quotes(id));
    tokens.push_back({.id = static_cast<std::uint32_t>(std::stoul(id)),
                      .content = json_at<std::string>(token, "content", source),
                      .special = json_or(token, "special", false, source),
                      .single_word = json_or(token, "single_word", false, source),
                      .lstrip = json_or(token, "lstrip", false, source),
                      .rstrip = json_or(token, "rstrip", false, source)});
  }
  const auto added_path = folder / "added_tokens.json";
  const Json added = read_if_present(added_path);
  require(added.is_object(), "{}: expected a JSON object", added_path.string());
  for (const auto& [content, id] : added.items()) {
    tokens.push_back({.id = json_at<std::uint32_t>(added, content.c_str(), added_path.string()),
                      .content = content,
                      .special = true});
  }
  return tokens;
}

}  // namespace

/// The files that name special tokens; an absent one is an empty object.
struct Tokenizer::SpecialTokens {
  struct File {
    Json json;
    std::string source;
  };
  File config, map;
  std::vector<File> ends;  // hold "eos_token_id"
};

Tokenizer::Tokenizer(std::filesystem::path model, std::unique_ptr<TokenizerBackend> backend,
                     const SpecialTokens& special)
    : model_(std::move(model)), backend_(std::move(backend)) {
  const auto named = [&](const char* key) -> std::optional<std::uint32_t> {
    const bool in_config = special.config.json.is_object() && special.config.json.contains(key);
    const auto& [json, source] = in_config ? special.config : special.map;
    const auto text = token_text(json, key, source);
    if (!text) return std::nullopt;
    const auto id = id_of(*text);
    require(id.has_value(), "{}: {} {} is not in the tokenizer's vocabulary", source, key, in_quotes(*text));
    return id;
  };

  bos_id_ = named("bos_token");
  const auto leading = backend_->leading_token();
  if (!bos_id_) bos_id_ = leading;
  adds_bos_ =
      bos_id_ && json_or(special.config.json, "add_bos_token", leading.has_value(), special.config.source);

  const auto add_end = [&](std::optional<std::uint32_t> id) {
    if (id && std::find(end_ids_.begin(), end_ids_.end(), *id) == end_ids_.end()) end_ids_.push_back(*id);
  };
  add_end(named("eos_token"));
  for (const auto& [json, source] : special.ends) {
    for (const auto id : id_or_ids(json, "eos_token_id", source)) add_end(id);
  }
  if (end_ids_.empty()) add_end(backend_->end_token());
}

Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

bool Tokenizer::present(const std::filesystem::path& model) {
  if (Gguf::named(model)) return has_tokenizer(Gguf::open(model));
  return std::filesystem::exists(model / "tokenizer.json") ||
         std::filesystem::exists(model / "tokenizer.model");
}

Tokenizer Tokenizer::load(const std::filesystem::path& model) {
  const auto source = model.string();
  if (Gguf::named(model)) {
    const TokenizerFiles files = tokenizer_files(Gguf::open(model));
    const SpecialTokens special{.config = {files.config, source},
                                .map = {Json::object(), source},
                                .ends = {{files.generation, source}}};
    return {model,
            files.tokenizer ? make_tokenizer(*files.tokenizer, source)
                            : make_sentencepiece(files.model, {}, source),
            special};
  }
  require(present(model), "{}: no tokenizer (expected tokenizer.json or tokenizer.model)", source);
  const auto file = [&](const char* name) -> SpecialTokens::File {
    return {read_if_present(model / name), (model / name).string()};
  };
  const SpecialTokens special{.config = file("tokenizer_config.json"),
                              .map = file("special_tokens_map.json"),
                              .ends = {file("generation_config.json"), file("config.json")}};
  if (const auto path = model / "tokenizer.json"; std::filesystem::exists(path))
    return {model, make_tokenizer(read_json(path), path.string()), special};
  const auto path = model / "tokenizer.model";
  return {model, make_sentencepiece(read_text(path), tokens_beside(model), path.string()), special};
}

std::vector<std::uint32_t> Tokenizer::encode(std::string_view text, bool parse_special, bool at_start) const {
  return backend_->encode(well_formed(text), parse_special, at_start);
}

std::string Tokenizer::decode(std::span<const std::uint32_t> ids, bool skip_special) const {
  return backend_->decode(ids, skip_special);
}

std::uint32_t Tokenizer::vocabulary_size() const { return backend_->vocabulary_size(); }

void Tokenizer::check_vocabulary(std::uint32_t rows) const {
  require(vocabulary_size() <= rows,
          "{}: the tokenizer has ids up to {}, but the model's vocabulary has {} rows; they belong to "
          "different models",
          model_.string(), vocabulary_size() - 1, rows);
}

std::optional<std::uint32_t> Tokenizer::id_of(std::string_view token) const { return backend_->id_of(token); }

}  // namespace walsh

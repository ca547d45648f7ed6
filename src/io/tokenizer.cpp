#include "io/tokenizer.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
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

Tokenizer::Tokenizer(std::filesystem::path folder, std::unique_ptr<TokenizerBackend> backend)
    : folder_(std::move(folder)), backend_(std::move(backend)) {
  read_special_tokens();
}

Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

bool Tokenizer::present(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / "tokenizer.json") ||
         std::filesystem::exists(folder / "tokenizer.model");
}

Tokenizer Tokenizer::load(const std::filesystem::path& folder) {
  require(present(folder), "{}: no tokenizer (expected tokenizer.json or tokenizer.model)", folder.string());
  if (std::filesystem::exists(folder / "tokenizer.json")) {
    return {folder, load_tokenizer_json(folder / "tokenizer.json")};
  }
  return {folder, load_sentencepiece(folder / "tokenizer.model", tokens_beside(folder))};
}

void Tokenizer::read_special_tokens() {
  const auto config_path = folder_ / "tokenizer_config.json";
  const auto map_path = folder_ / "special_tokens_map.json";
  const Json config = read_if_present(config_path);
  const Json map = read_if_present(map_path);
  const auto named = [&](const char* key) -> std::optional<std::uint32_t> {
    const bool in_config = config.is_object() && config.contains(key);
    const auto& path = in_config ? config_path : map_path;
    const auto text = token_text(in_config ? config : map, key, path.string());
    if (!text) return std::nullopt;
    const auto id = id_of(*text);
    require(id.has_value(), "{}: {} {} is not in the tokenizer's vocabulary", path.string(), key,
            in_quotes(*text));
    return id;
  };

  bos_id_ = named("bos_token");
  const auto leading = backend_->leading_token();
  if (!bos_id_) bos_id_ = leading;
  adds_bos_ = bos_id_ && json_or(config, "add_bos_token", leading.has_value(), config_path.string());

  const auto add_end = [&](std::optional<std::uint32_t> id) {
    if (id && std::find(end_ids_.begin(), end_ids_.end(), *id) == end_ids_.end()) end_ids_.push_back(*id);
  };
  add_end(named("eos_token"));
  for (const char* file : {"generation_config.json", "config.json"}) {
    const auto path = folder_ / file;
    for (const auto id : id_or_ids(read_if_present(path), "eos_token_id", path.string())) add_end(id);
  }
  if (end_ids_.empty()) add_end(backend_->end_token());
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
          folder_.string(), vocabulary_size() - 1, rows);
}

std::optional<std::uint32_t> Tokenizer::id_of(std::string_view token) const { return backend_->id_of(token); }

}  // namespace walsh

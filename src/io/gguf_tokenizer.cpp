#include "io/gguf_tokenizer.h"

#include <algorithm>
#include <bit>
#include <unordered_set>

#include "base/error.h"
#include "base/file.h"
#include "io/chat_template.h"
#include "io/pretokenizer_names.h"
#include "io/tokenizer.h"
#include "io/tokenizer_backend.h"
#include "io/utf8.h"

namespace walsh {
namespace {

const std::string prefix = "tokenizer.ggml.";

using enum PieceList::Type;

struct Vocabulary : PieceList {
  void resize(std::size_t rows) {
    for (std::size_t id = tokens.size(); id < rows; ++id) {
      tokens.push_back(fmt::format("[PAD{}]", id));
      types.push_back(unused);
      if (!scores.empty()) scores.push_back(0);
    }
  }
};

Vocabulary read_vocabulary(const Gguf& file) {
  const std::string source = file.path().string();
  Vocabulary vocabulary;
  auto tokens = file.texts(prefix + "tokens");
  require(tokens && !tokens->empty(), "{}: no \"{}tokens\"", source, prefix);
  vocabulary.tokens = std::move(*tokens);
  const auto types = file.integers(prefix + "token_type").value_or(std::vector<std::int64_t>());
  require(types.empty() || types.size() == vocabulary.tokens.size(), "{}: {} token types for {} tokens",
          source, types.size(), vocabulary.tokens.size());
  vocabulary.types.assign(vocabulary.tokens.size(), normal);
  for (std::size_t i = 0; i < types.size(); ++i) {
    require(types[i] >= normal && types[i] <= byte, "{}: token {} has type {}, expected 1 to 6", source, i,
            types[i]);
    vocabulary.types[i] = static_cast<std::int32_t>(types[i]);
  }
  std::unordered_set<std::string_view> seen;
  for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    const std::string& token = vocabulary.tokens[i];
    require(well_formed(token) == token, "{}: token {} is not UTF-8", source, i);
    require(seen.insert(token).second, "{}: token {} ({}) is there twice", source, i, in_quotes(token));
  }
  return vocabulary;
}

/// The token whose id a key names.
std::optional<std::string> token_named(const Gguf& file, const Vocabulary& vocabulary, const char* key) {
  const auto id = file.count(prefix + key);
  if (!id || *id == 0xffffffffu) return std::nullopt;  // -1: none
  require(*id < vocabulary.tokens.size(), "{}: \"{}{}\" is {}, but there are {} tokens", file.path().string(),
          prefix, key, *id, vocabulary.tokens.size());
  return vocabulary.tokens[*id];
}

/// The wire format of protocol buffers, as much of it as a SentencePiece model needs.
class Message {
 public:
  void number(std::uint32_t field, std::uint64_t value) {
    varint(field << 3);
    varint(value);
  }
  void real(std::uint32_t field, float value) {
    varint(field << 3 | 5);
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (int i = 0; i < 4; ++i) bytes_ += static_cast<char>(bits >> (8 * i));
  }
  void text(std::uint32_t field, std::string_view value) {
    varint(field << 3 | 2);
    varint(value.size());
    bytes_ += value;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 128; value >>= 7) bytes_ += static_cast<char>((value & 127) | 128);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

/// sentencepiece_model.proto: pieces (1) with their scores (2) and types (3); the trainer's settings (2):
/// byte-pair encoding (3), byte fallback (35), names of the special pieces (45 - 47); the normalizer's (3):
/// identity (1), a space in front (3), extra spaces removed or not (4), spaces as U+2581 (5).
std::string sentencepiece_model(const Gguf& file, const Vocabulary& v) {
  Message model, trainer, normalizer;
  for (std::size_t i = 0; i < v.tokens.size(); ++i) {
    Message piece;
    piece.text(1, v.tokens[i]);
    piece.real(2, v.scores[i]);
    piece.number(3, static_cast<std::uint64_t>(v.types[i]));
    model.text(1, piece.bytes());
  }
  trainer.number(3, 2);
  trainer.number(35, std::ranges::count(v.types, byte) > 0);
  const auto unknown_token = std::ranges::find(v.types, unknown);
  require(unknown_token != v.types.end(), "{}: no token is the unknown one (type 2)", file.path().string());
  trainer.text(45, v.tokens[static_cast<std::size_t>(unknown_token - v.types.begin())]);
  if (const auto bos = token_named(file, v, "bos_token_id")) trainer.text(46, *bos);
  if (const auto eos = token_named(file, v, "eos_token_id")) trainer.text(47, *eos);
  normalizer.text(1, "identity");
  normalizer.number(3, file.flag(prefix + "add_space_prefix").value_or(true));
  normalizer.number(4, file.flag(prefix + "remove_extra_whitespaces").value_or(false));
  normalizer.number(5, 1);
  model.text(2, trainer.bytes());
  model.text(3, normalizer.bytes());
  return model.bytes();
}

Json tokenizer_json(const Gguf& file, const Vocabulary& v, const NamedPretokenizer& pre) {
  Json vocabulary = Json::object(), added = Json::array(), merges = Json::array();
  for (std::size_t i = 0; i < v.tokens.size(); ++i) {
    if (v.types[i] == unused) continue;
    vocabulary[v.tokens[i]] = i;
    if (v.types[i] == control || v.types[i] == user_defined || v.types[i] == unknown)
      added.push_back({{"id", i},
                       {"content", v.tokens[i]},
                       {"single_word", false},
                       {"lstrip", false},
                       {"rstrip", false},
                       {"normalized", false},
                       {"special", v.types[i] != user_defined}});
  }
  const auto pairs = file.texts(prefix + "merges");
  require(pairs.has_value(), "{}: no \"{}merges\"", file.path().string(), prefix);
  for (const std::string& pair : *pairs) merges.push_back(pair);
  const Json bytes = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", std::move(added)},
          {"normalizer", pre.normalizer.empty() ? Json() : Json{{"type", pre.normalizer}}},
          {"pre_tokenizer", pre.pre_tokenizer},
          {"post_processor", nullptr},
          {"decoder", bytes},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", pre.ignore_merges},
            {"vocab", std::move(vocabulary)},
            {"merges", std::move(merges)}}}};
}

/// Tokens, types and merges of a tokenizer.json that Tokenizer has read, and so checked, before.
Vocabulary vocabulary_of_json(const Json& json, const std::string& source, std::vector<std::string>& merges) {
  const Json model = json_at<Json>(json, "model", source);
  Vocabulary v;
  const auto place = [&](std::uint32_t id, const std::string& token, std::int32_t type) {
    v.resize(std::size_t{id} + 1);
    v.tokens[id] = token;
    v.types[id] = type;
  };
  const Json vocabulary = json_at<Json>(model, "vocab", source);
  for (const auto& [token, id] : vocabulary.items()) place(id.get<std::uint32_t>(), token, normal);
  for (const Json& token : json_or<Json>(json, "added_tokens", Json::array(), source))
    place(json_at<std::uint32_t>(token, "id", source), json_at<std::string>(token, "content", source),
          json_or(token, "special", false, source) ? control : user_defined);
  const Json pairs = json_at<Json>(model, "merges", source);
  for (const Json& pair : pairs)
    merges.push_back(pair.is_string() ? pair.get<std::string>()
                                      : pair[0].get<std::string>() + " " + pair[1].get<std::string>());
  return v;
}

}  // namespace

bool has_tokenizer(const Gguf& file) {
  const auto model = file.text(prefix + "model");
  return model && *model != "none" && *model != "no_vocab";
}

TokenizerFiles tokenizer_files(const Gguf& file) {
  const std::string source = file.path().string();
  require(has_tokenizer(file), "{}: no tokenizer in the file", source);
  const std::string model = *file.text(prefix + "model");
  require(model == "gpt2" || model == "llama", "{}: tokenizer {} is not supported; gpt2 and llama are",
          source, in_quotes(model));
  Vocabulary vocabulary = read_vocabulary(file);
  TokenizerFiles files;
  bool adds_bos = model == "llama";
  if (model == "gpt2") {
    const auto pre = pretokenizer_named(file.text(prefix + "pre").value_or("default"), source);
    adds_bos = pre.adds_bos;
    files.tokenizer = tokenizer_json(file, vocabulary, pre);
  } else {
    vocabulary.scores = file.reals(prefix + "scores").value_or(std::vector<float>());
    require(vocabulary.scores.size() == vocabulary.tokens.size(), "{}: {} scores for {} tokens", source,
            vocabulary.scores.size(), vocabulary.tokens.size());
    files.model = sentencepiece_model(file, vocabulary);
  }
  if (const auto bos = token_named(file, vocabulary, "bos_token_id")) files.config["bos_token"] = *bos;
  if (const auto eos = token_named(file, vocabulary, "eos_token_id")) files.config["eos_token"] = *eos;
  files.config["add_bos_token"] =
      file.flag(prefix + "add_bos_token").value_or(adds_bos) && files.config.contains("bos_token");
  if (const auto chat = file.text("tokenizer.chat_template")) files.config["chat_template"] = *chat;
  Json ends = Json::array();
  for (const char* key : {"eos_token_id", "eot_token_id", "eom_token_id"})
    if (token_named(file, vocabulary, key)) ends.push_back(*file.count(prefix + key));
  if (!ends.empty()) files.generation["eos_token_id"] = ends;
  return files;
}

std::vector<GgufValue> tokenizer_values(const std::filesystem::path& folder, std::uint32_t rows) {
  const Tokenizer tokenizer = Tokenizer::load(folder);
  tokenizer.check_vocabulary(rows);
  std::vector<GgufValue> values;
  const auto write = [&](const char* model, const char* pre, Vocabulary vocabulary) {
    vocabulary.resize(rows);
    values.push_back(gguf_text(prefix + "model", model));
    values.push_back(gguf_text(prefix + "pre", pre));
    values.push_back(gguf_texts(prefix + "tokens", vocabulary.tokens));
    if (!vocabulary.scores.empty()) {
      values.push_back(gguf_reals(prefix + "scores", vocabulary.scores));
      values.push_back(gguf_flag(prefix + "add_space_prefix", vocabulary.space_in_front));
      values.push_back(gguf_flag(prefix + "remove_extra_whitespaces", vocabulary.spaces_removed));
    }
    values.push_back(gguf_integers(prefix + "token_type", vocabulary.types));
  };
  // A SentencePiece model holds the scores that a tokenizer.json made of it has lost.
  if (const auto path = folder / "tokenizer.model"; std::filesystem::exists(path)) {
    write("llama", "default", Vocabulary{sentencepiece_pieces(read_text(path), path.string())});
  } else {
    const auto json_path = folder / "tokenizer.json";
    const Json json = read_json(json_path);
    std::vector<std::string> merges;
    const std::string pre(name_of_pretokenizer(json, json_path.string()));
    write("gpt2", pre.c_str(), vocabulary_of_json(json, json_path.string(), merges));
    values.push_back(gguf_texts(prefix + "merges", merges));
  }
  if (const auto bos = tokenizer.bos_id()) values.push_back(gguf_count(prefix + "bos_token_id", *bos));
  const auto& ends = tokenizer.end_ids();
  if (!ends.empty()) values.push_back(gguf_count(prefix + "eos_token_id", ends[0]));
  if (ends.size() > 1) values.push_back(gguf_count(prefix + "eot_token_id", ends[1]));
  values.push_back(gguf_flag(prefix + "add_bos_token", tokenizer.adds_bos()));
  if (const auto chat = ChatTemplate::program(folder))
    values.push_back(gguf_text("tokenizer.chat_template", *chat));
  return values;
}

}  // namespace walsh

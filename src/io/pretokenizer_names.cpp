#include "io/pretokenizer_names.h"

#include <array>

#include "io/utf8.h"

namespace walsh {
namespace {

constexpr const char* llama3_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* qwen2_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

Json byte_level(bool use_regex) {
  return {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

Json sequence(Json first, Json second) {
  return {{"type", "Sequence"}, {"pretokenizers", Json::array({std::move(first), std::move(second)})}};
}

Json split(const char* pattern) {
  return {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
}

struct Alias {
  std::string_view name, of;
};
constexpr std::array<Alias, 8> aliases{{{"gpt-2", "gpt-2"},
                                        {"smollm", "smollm"},
                                        {"starcoder", "smollm"},
                                        {"llama-bpe", "llama-bpe"},
                                        {"llama3", "llama-bpe"},
                                        {"llama-v3", "llama-bpe"},
                                        {"qwen2", "qwen2"},
                                        {"deepseek-r1-qwen", "qwen2"}}};

NamedPretokenizer make(std::string_view name) {
  if (name == "gpt-2") return {.name = "gpt-2", .pre_tokenizer = byte_level(true)};
  if (name == "smollm")
    return {.name = "smollm",
            .pre_tokenizer = sequence({{"type", "Digits"}, {"individual_digits", true}}, byte_level(true))};
  if (name == "llama-bpe")
    return {.name = "llama-bpe",
            .ignore_merges = true,
            .adds_bos = true,
            .pre_tokenizer = sequence(split(llama3_pattern), byte_level(false))};
  return {.name = "qwen2",
          .normalizer = "NFC",
          .pre_tokenizer = sequence(split(qwen2_pattern), byte_level(false))};
}

/// What decides the words: offsets do not, and GPT-2's pattern is what an absent "use_regex" means.
Json plain(Json json) {
  if (!json.is_object()) return json;
  json.erase("trim_offsets");
  if (json.contains("type") && json["type"] == "ByteLevel") json.emplace("use_regex", true);
  const auto parts = json.find("pretokenizers");
  if (parts != json.end() && parts->is_array())
    for (Json& part : *parts) part = plain(part);
  return json;
}

}  // namespace

NamedPretokenizer pretokenizer_named(std::string_view name, const std::string& source) {
  std::string known;
  for (const Alias& alias : aliases) {
    if (alias.name == name) return make(alias.of);
    known.append(" ").append(alias.name);
  }
  refuse("{}: pre-tokenizer {} is not known; known are{}", source, in_quotes(name), known);
}

std::string_view name_of_pretokenizer(const Json& tokenizer, const std::string& source) {
  const auto found = tokenizer.find("pre_tokenizer");
  const Json wanted = found == tokenizer.end() ? Json() : plain(*found);
  for (const Alias& alias : aliases) {
    if (alias.name == alias.of && plain(make(alias.name).pre_tokenizer) == wanted) return alias.name;
  }
  refuse("{}: GGUF has no name for this pre-tokenizer; those of gpt-2, smollm, llama-bpe and qwen2 have one",
         source);
}

}  // namespace walsh

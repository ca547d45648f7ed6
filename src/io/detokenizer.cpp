#include "io/detokenizer.h"

#include <charconv>
#include <utility>

#include "base/json.h"
#include "io/byte_level.h"
#include "io/tokenizer_json.h"
#include "io/utf8.h"

namespace walsh {
namespace {

std::string joined(const std::vector<std::string>& tokens, std::string_view between) {
  std::string out;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) out += between;
    out += tokens[i];
  }
  return out;
}

// A run of byte tokens is either well-formed as a whole or one U+FFFD a byte.
void append_bytes(std::string& bytes, std::vector<std::string>& out) {
  if (bytes.empty()) return;
  if (well_formed(bytes) == bytes) {
    out.push_back(bytes);
  } else {
    out.insert(out.end(), bytes.size(), "\uFFFD");
  }
  bytes.clear();
}

}  // namespace

int byte_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return -1;
  int byte = -1;
  const auto result = std::from_chars(token.data() + 3, token.data() + 5, byte, 16);
  return result.ec == std::errc() && result.ptr == token.data() + 5 && byte >= 0 ? byte : -1;
}

Detokenizer::Detokenizer(const Json& json, const std::string& source) : join_with_spaces_(json.is_null()) {
  add(json, source, 0);
}

void Detokenizer::add(const Json& json, const std::string& source, int depth) {
  if (json.is_null()) return;
  const auto type = component_type(json, "decoder", source, depth);
  if (type == "Sequence") {
    for (const Json& part : component_list(json, "decoders", source)) add(part, source, depth + 1);
  } else if (type == "ByteLevel") {
    steps_.emplace_back(ByteLevel{});
  } else if (type == "ByteFallback") {
    steps_.emplace_back(ByteFallback{});
  } else if (type == "Fuse") {
    steps_.emplace_back(Fuse{});
  } else if (type == "Strip") {
    Strip step{json_at<std::string>(json, "content", source), json_or<std::size_t>(json, "start", 0, source),
               json_or<std::size_t>(json, "stop", 0, source)};
    require(!step.content.empty(), "{}: decoder Strip has an empty \"content\"", source);
    steps_.emplace_back(std::move(step));
  } else if (type == "Replace") {
    steps_.emplace_back(Replace{regex_from_json(json_at<Json>(json, "pattern", source), source),
                                json_at<std::string>(json, "content", source)});
  } else if (type == "Metaspace") {
    const bool prefix = json_or(json, "add_prefix_space", true, source);
    const auto scheme = json_or<std::string>(json, "prepend_scheme", prefix ? "always" : "never", source);
    steps_.emplace_back(
        Metaspace{json_or<std::string>(json, "replacement", "\u2581", source), scheme != "never"});
  } else {
    refuse(
        "{}: decoder {} is not supported (ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence, Strip "
        "are)",
        source, in_quotes(type));
  }
}

Detokenizer::Tokens Detokenizer::apply_step(const ByteLevel&, Tokens tokens) {
  std::string bytes;
  for (const std::string& token : tokens) bytes += from_byte_level(token).value_or(token);
  return {well_formed(bytes)};
}

Detokenizer::Tokens Detokenizer::apply_step(const ByteFallback&, Tokens tokens) {
  Tokens out;
  std::string bytes;
  for (std::string& token : tokens) {
    const int byte = byte_token(token);
    if (byte >= 0) {
      bytes += static_cast<char>(byte);
    } else {
      append_bytes(bytes, out);
      out.push_back(std::move(token));
    }
  }
  append_bytes(bytes, out);
  return out;
}

Detokenizer::Tokens Detokenizer::apply_step(const Fuse&, Tokens tokens) { return {joined(tokens, "")}; }

Detokenizer::Tokens Detokenizer::apply_step(const Strip& step, Tokens tokens) {
  for (std::string& token : tokens) {
    std::size_t begin = 0;
    std::size_t end = token.size();
    const auto length = step.content.size();
    for (std::size_t i = 0; i < step.start && token.compare(begin, length, step.content) == 0; ++i)
      begin += length;
    for (std::size_t i = 0; i < step.stop && end >= begin + length; ++i) {
      if (token.compare(end - length, length, step.content) != 0) break;
      end -= length;
    }
    token = token.substr(begin, end - begin);
  }
  return tokens;
}

Detokenizer::Tokens Detokenizer::apply_step(const Replace& step, Tokens tokens) {
  for (std::string& token : tokens) token = step.pattern.replace(token, step.content);
  return tokens;
}

Detokenizer::Tokens Detokenizer::apply_step(const Metaspace& step, Tokens tokens) {
  const Regex replacement(step.replacement, Regex::Syntax::literal, "Metaspace");
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = replacement.replace(tokens[i], i == 0 && step.prefix ? "" : " ");
  }
  return tokens;
}

std::string Detokenizer::apply(std::vector<std::string> tokens) const {
  for (const Step& step : steps_) {
    tokens = std::visit([&](const auto& kind) { return apply_step(kind, std::move(tokens)); }, step);
  }
  return joined(tokens, join_with_spaces_ ? " " : "");
}

}  // namespace walsh

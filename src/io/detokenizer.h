// The decoder of a tokenizer.json: from token strings back to text, as a list of rewrites of the list of
// strings.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>
#include <vector>

#include "io/regex.h"

namespace walsh {

class Detokenizer {
 public:
  /// `json` is the value of "decoder", null included (then tokens are joined by spaces).
  Detokenizer(const nlohmann::json& json, const std::string& source);

  std::string apply(std::vector<std::string> tokens) const;

 private:
  struct ByteLevel {};
  struct ByteFallback {};  // <0xE2> <0x82> <0xAC> become one character
  struct Fuse {};          // all strings become one
  struct Strip {           // at most so many of `content` off each string's ends
    std::string content;
    std::size_t start;
    std::size_t stop;
  };
  struct Replace {
    Regex pattern;
    std::string content;
  };
  struct Metaspace {
    std::string replacement;
    bool prefix;
  };
  using Tokens = std::vector<std::string>;
  using Step = std::variant<ByteLevel, ByteFallback, Fuse, Strip, Replace, Metaspace>;

  void add(const nlohmann::json& json, const std::string& source, int depth);
  static Tokens apply_step(const ByteLevel& step, Tokens tokens);
  static Tokens apply_step(const ByteFallback& step, Tokens tokens);
  static Tokens apply_step(const Fuse& step, Tokens tokens);
  static Tokens apply_step(const Strip& step, Tokens tokens);
  static Tokens apply_step(const Replace& step, Tokens tokens);
  static Tokens apply_step(const Metaspace& step, Tokens tokens);

  std::vector<Step> steps_;
  bool join_with_spaces_ = false;
};

/// The byte that a token "<0x..>" stands for, or -1.
int byte_token(std::string_view token);

}  // namespace walsh

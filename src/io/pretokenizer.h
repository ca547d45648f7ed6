// The pre-tokenizer of a tokenizer.json: cuts text into the words that byte-pair merges stay within.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "io/regex.h"

namespace walsh {

struct Word {
  std::string text;
  bool first = false;  // begins where the whole input begins
};

/// What becomes of the matches of a pattern when text is split at them.
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

/// The pieces of `text` (empty ones left out), given the matches from left to right; `invert` swaps matches
/// and gaps.
std::vector<ByteRange> split(std::string_view text, const std::vector<ByteRange>& matches,
                             SplitBehavior behavior, bool invert);

class Pretokenizer {
 public:
  Pretokenizer() = default;
  /// `json` is the value of "pre_tokenizer", null included.
  Pretokenizer(const nlohmann::json& json, const std::string& source);

  std::vector<Word> apply(Word input) const;

 private:
  struct Split {
    Regex pattern;
    SplitBehavior behavior;
    bool invert;
  };
  struct Digits {
    bool individual;
  };
  struct ByteLevel {
    bool add_prefix_space;
    std::optional<Regex> pattern;
  };
  enum class Prefix { always, first, never };
  struct Metaspace {
    std::string replacement;
    Prefix prefix;
    bool split;
  };
  using Step = std::variant<Split, Digits, ByteLevel, Metaspace>;

  void add(const nlohmann::json& json, const std::string& source, int depth);
  static void apply_step(const Split& step, Word word, std::vector<Word>& out);
  static void apply_step(const Digits& step, Word word, std::vector<Word>& out);
  static void apply_step(const ByteLevel& step, Word word, std::vector<Word>& out);
  static void apply_step(const Metaspace& step, Word word, std::vector<Word>& out);

  std::vector<Step> steps_;
};

}  // namespace walsh

#include "io/pretokenizer.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "io/byte_level.h"
#include "io/tokenizer_json.h"
#include "io/utf8.h"

namespace walsh {
namespace {

constexpr std::string_view gpt2_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

SplitBehavior behavior_from_json(const Json& json, const std::string& source) {
  const auto name = json_at<std::string>(json, "behavior", source);
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  refuse("{}: split behavior {} is not known", source, in_quotes(name));
}

void append_ranges(const Word& word, const std::vector<ByteRange>& ranges, std::vector<Word>& out) {
  for (const ByteRange range : ranges) {
    out.push_back({word.text.substr(range.begin, range.end - range.begin), word.first && range.begin == 0});
  }
}

}  // namespace

std::vector<ByteRange> split(std::string_view text, const std::vector<ByteRange>& matches,
                             SplitBehavior behavior, bool invert) {
  struct Part {
    ByteRange range;
    bool match;
  };
  std::vector<Part> parts;
  std::size_t done = 0;
  for (const ByteRange match : matches) {
    if (match.begin > done) parts.push_back({{done, match.begin}, invert});
    if (match.end > match.begin) parts.push_back({match, !invert});
    done = match.end;
  }
  if (done < text.size()) parts.push_back({{done, text.size()}, invert});

  std::vector<ByteRange> out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool follows = i > 0;
    bool joins = false;
    switch (behavior) {
      case SplitBehavior::removed:
        if (parts[i].match) continue;
        break;
      case SplitBehavior::isolated:
        break;
      case SplitBehavior::merged_with_previous:
        joins = follows && parts[i].match && !parts[i - 1].match;
        break;
      case SplitBehavior::merged_with_next:
        joins = follows && !parts[i].match && parts[i - 1].match;
        break;
      case SplitBehavior::contiguous:
        joins = follows && parts[i].match == parts[i - 1].match;
        break;
    }
    if (joins) {
      out.back().end = parts[i].range.end;
    } else {
      out.push_back(parts[i].range);
    }
  }
  return out;
}

Pretokenizer::Pretokenizer(const Json& json, const std::string& source) { add(json, source, 0); }

void Pretokenizer::add(const Json& json, const std::string& source, int depth) {
  if (json.is_null()) return;
  const auto type = component_type(json, "pre-tokenizer", source, depth);
  if (type == "Sequence") {
    for (const Json& part : component_list(json, "pretokenizers", source)) add(part, source, depth + 1);
  } else if (type == "Split") {
    steps_.emplace_back(Split{regex_from_json(json_at<Json>(json, "pattern", source), source),
                              behavior_from_json(json, source), json_or(json, "invert", false, source)});
  } else if (type == "Digits") {
    steps_.emplace_back(Digits{json_or(json, "individual_digits", false, source)});
  } else if (type == "ByteLevel") {
    ByteLevel step{json_or(json, "add_prefix_space", true, source), std::nullopt};
    if (json_or(json, "use_regex", true, source))
      step.pattern.emplace(gpt2_pattern, Regex::Syntax::pattern, source);
    steps_.emplace_back(std::move(step));
  } else if (type == "Metaspace") {
    Metaspace step{json_or<std::string>(json, "replacement", "\u2581", source), Prefix::always,
                   json_or(json, "split", true, source)};
    // Older files say add_prefix_space, newer ones prepend_scheme.
    const bool add_prefix = json_or(json, "add_prefix_space", true, source);
    const auto scheme = json_or<std::string>(json, "prepend_scheme", add_prefix ? "always" : "never", source);
    require(scheme == "always" || scheme == "first" || scheme == "never",
            "{}: Metaspace prepend_scheme {} is not always, first or never", source, in_quotes(scheme));
    step.prefix = scheme == "always" ? Prefix::always : scheme == "first" ? Prefix::first : Prefix::never;
    require(!step.replacement.empty(), "{}: Metaspace has an empty replacement", source);
    steps_.emplace_back(std::move(step));
  } else {
    refuse("{}: pre-tokenizer {} is not supported (ByteLevel, Digits, Metaspace, Sequence, Split are)",
           source, in_quotes(type));
  }
}

void Pretokenizer::apply_step(const Split& step, Word word, std::vector<Word>& out) {
  append_ranges(word, split(word.text, step.pattern.matches(word.text), step.behavior, step.invert), out);
}

void Pretokenizer::apply_step(const Digits& step, Word word, std::vector<Word>& out) {
  std::vector<ByteRange> digits;
  for (std::size_t at = 0; at < word.text.size();) {
    const Character c = character_at(word.text, at);
    if (is_number(c.code_point)) digits.push_back({at, at + c.length});
    at += c.length;
  }
  const auto behavior = step.individual ? SplitBehavior::isolated : SplitBehavior::contiguous;
  append_ranges(word, split(word.text, digits, behavior, false), out);
}

void Pretokenizer::apply_step(const ByteLevel& step, Word word, std::vector<Word>& out) {
  if (step.add_prefix_space && !word.text.starts_with(' ')) word.text.insert(word.text.begin(), ' ');
  if (!step.pattern) {
    out.push_back({to_byte_level(word.text), word.first});
    return;
  }
  for (const ByteRange range :
       split(word.text, step.pattern->matches(word.text), SplitBehavior::isolated, false)) {
    out.push_back({to_byte_level(std::string_view(word.text).substr(range.begin, range.end - range.begin)),
                   word.first && range.begin == 0});
  }
}

void Pretokenizer::apply_step(const Metaspace& step, Word word, std::vector<Word>& out) {
  std::string text;
  text.reserve(word.text.size() + word.text.size() / 2);
  for (const char c : word.text) {
    if (c == ' ') {
      text += step.replacement;
    } else {
      text += c;
    }
  }
  const bool prefix = step.prefix == Prefix::always || (step.prefix == Prefix::first && word.first);
  if (prefix && !text.starts_with(step.replacement)) text.insert(0, step.replacement);
  word.text = std::move(text);
  if (!step.split) {
    out.push_back(std::move(word));
    return;
  }
  std::vector<ByteRange> spaces;
  for (auto at = word.text.find(step.replacement); at != std::string::npos;
       at = word.text.find(step.replacement, at + step.replacement.size())) {
    spaces.push_back({at, at + step.replacement.size()});
  }
  append_ranges(word, split(word.text, spaces, SplitBehavior::merged_with_next, false), out);
}

std::vector<Word> Pretokenizer::apply(Word input) const {
  std::vector<Word> words;
  if (!input.text.empty()) words.push_back(std::move(input));
  for (const Step& step : steps_) {
    std::vector<Word> next;
    for (Word& word : words) {
      std::visit([&](const auto& kind) { apply_step(kind, std::move(word), next); }, step);
    }
    words = std::move(next);
  }
  return words;
}

}  // namespace walsh

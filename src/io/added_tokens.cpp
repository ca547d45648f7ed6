#include "io/added_tokens.h"

#include <algorithm>
#include <utility>

#include "io/utf8.h"

namespace walsh {
namespace {

std::size_t previous_character(std::string_view text, std::size_t at) {
  do --at;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
  return at;
}

bool word_before(std::string_view text, std::size_t at) {
  return at > 0 && is_word(character_at(text, previous_character(text, at)).code_point);
}

bool word_after(std::string_view text, std::size_t at) {
  return at < text.size() && is_word(character_at(text, at).code_point);
}

}  // namespace

void AddedTokenFinder::add(AddedToken token, std::string_view pattern) {
  if (pattern.empty()) return;
  begins_[static_cast<unsigned char>(pattern.front())] = true;
  std::uint32_t node = 0;
  for (const char c : pattern) {
    const auto key = std::uint64_t{node} << 8 | static_cast<unsigned char>(c);
    const auto [it, fresh] = next_.try_emplace(key, static_cast<std::uint32_t>(token_at_.size()));
    if (fresh) token_at_.push_back(-1);
    node = it->second;
  }
  token_at_[node] = static_cast<std::int32_t>(tokens_.size());
  tokens_.push_back(std::move(token));
}

std::vector<AddedTokenFinder::Match> AddedTokenFinder::find(std::string_view text, bool parse_special) const {
  std::vector<Match> found;
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (!begins_[static_cast<unsigned char>(text[at])]) {
      ++at;
      continue;
    }
    std::int32_t longest = -1;
    std::size_t end = at;
    std::uint32_t node = 0;
    for (std::size_t i = at; i < text.size(); ++i) {
      const auto it = next_.find(std::uint64_t{node} << 8 | static_cast<unsigned char>(text[i]));
      if (it == next_.end()) break;
      node = it->second;
      if (token_at_[node] >= 0) {
        longest = token_at_[node];
        end = i + 1;
      }
    }
    if (longest < 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<std::size_t>(longest)];
    ByteRange range{at, end};
    at = end;
    if (token.special && !parse_special) continue;
    if (token.single_word && (word_before(text, range.begin) || word_after(text, range.end))) continue;
    while (token.lstrip && range.begin > done) {
      const auto before = previous_character(text, range.begin);
      if (!is_white_space(character_at(text, before).code_point)) break;
      range.begin = before;
    }
    while (token.rstrip && range.end < text.size()) {
      const Character c = character_at(text, range.end);
      if (!is_white_space(c.code_point)) break;
      range.end += c.length;
    }
    found.push_back({range, &token});
    done = range.end;
    at = std::max(at, done);
  }
  return found;
}

}  // namespace walsh

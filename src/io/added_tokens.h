// Added tokens: strings that are found in the text as a whole, before anything else, and become one id each.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/regex.h"

namespace walsh {

struct AddedToken {
  std::uint32_t id = 0;
  std::string content;
  bool special = false;
  bool single_word = false;  // only where no word character stands beside it
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // and after it
  bool normalized = false;   // looked for in the normalised text, not in the text as it came
};

/// A set of added tokens; finds the leftmost, of those the longest.
class AddedTokenFinder {
 public:
  /// `pattern` is what to look for: the content, or the normalised content.
  void add(AddedToken token, std::string_view pattern);
  bool empty() const { return tokens_.empty(); }

  struct Match {
    ByteRange range;
    const AddedToken* token;
  };
  std::vector<Match> find(std::string_view text, bool parse_special) const;

 private:
  std::vector<AddedToken> tokens_;
  // A trie: (node, byte) to node, and the token that ends at a node (-1: none).
  std::unordered_map<std::uint64_t, std::uint32_t> next_;
  std::vector<std::int32_t> token_at_{-1};
  std::array<bool, 256> begins_{};
};

}  // namespace walsh

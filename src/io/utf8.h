// UTF-8: what tokenizers need of it. Text from outside becomes well-formed once, at the door; everything
// behind it may then step from character to character without checks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace walsh {

struct Character {
  std::int32_t code_point = -1;  // -1: not well-formed
  std::size_t length =
      1;  // in bytes; of an ill-formed sequence, its longest prefix that could have begun one
};

/// The character that begins at byte `at` (Unicode 15, table 3-7: well-formed byte sequences).
Character character_at(std::string_view text, std::size_t at);

void append_utf8(std::string& text, std::int32_t code_point);

/// `text` with every ill-formed sequence replaced by U+FFFD.
std::string well_formed(std::string_view text);

/// `text` in double quotes for a message: one line, at most 60 bytes of it, control characters escaped.
std::string in_quotes(std::string_view text);

/// NFC, NFD, NFKC or NFKD of well-formed text.
enum class NormalForm { nfc, nfd, nfkc, nfkd };
std::string normalize(std::string_view text, NormalForm form);

bool is_number(std::int32_t code_point);  // categories Nd, Nl, No
bool is_word(std::int32_t code_point);    // letters, marks, decimal and letter numbers, connectors, joiners
bool is_white_space(std::int32_t code_point);  // the property White_Space

}  // namespace walsh

#include "io/utf8.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <vector>

namespace walsh {

Character character_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(at);
  if (lead < 0x80) return {static_cast<std::int32_t>(lead), 1};
  const std::size_t length = lead < 0xC2 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 1;
  if (length == 1) return {-1, 1};
  // The second byte's range excludes overlong forms, surrogates and what lies beyond U+10FFFF.
  unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  std::int32_t code_point = static_cast<std::int32_t>(lead & (0x7Fu >> length));
  for (std::size_t i = 1; i < length; ++i) {
    if (at + i >= text.size() || byte(at + i) < low || byte(at + i) > high) return {-1, i};
    code_point = code_point << 6 | static_cast<std::int32_t>(byte(at + i) & 0x3Fu);
    low = 0x80;
    high = 0xBF;
  }
  return {code_point, length};
}

void append_utf8(std::string& text, std::int32_t code_point) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const auto length = utf8proc_encode_char(code_point, bytes.data());
  text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(length));
}

std::string well_formed(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character_at(text, at);
    if (c.code_point < 0) {
      out += "\uFFFD";
    } else {
      out.append(text, at, c.length);
    }
    at += c.length;
  }
  return out;
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : well_formed(text.substr(0, 60))) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + (text.size() > 60 ? "...\"" : "\"");
}

std::string normalize(std::string_view text, NormalForm form) {
  if (std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x80; }))
    return std::string(text);
  const bool compatible = form == NormalForm::nfkc || form == NormalForm::nfkd;
  const auto options =
      static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0));
  std::vector<utf8proc_int32_t> decomposed;
  decomposed.reserve(text.size());
  std::array<utf8proc_int32_t, 64> buffer{};
  int boundary = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character_at(text, at);
    const auto count =
        utf8proc_decompose_char(c.code_point, buffer.data(), buffer.size(), options, &boundary);
    decomposed.insert(decomposed.end(), buffer.begin(), buffer.begin() + std::max<std::ptrdiff_t>(count, 0));
    at += c.length;
  }
  // Canonical ordering (Unicode 15, section 3.11, D109): runs of combining marks stably sorted by their
  // class. utf8proc's own sort is quadratic in the length of a run, which a text may make as long as it
  // likes.
  const auto combining = [](utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; };
  for (auto run = decomposed.begin(); run != decomposed.end();) {
    run = std::find_if(run, decomposed.end(), [&](auto c) { return combining(c) != 0; });
    const auto end = std::find_if(run, decomposed.end(), [&](auto c) { return combining(c) == 0; });
    std::stable_sort(run, end, [&](auto a, auto b) { return combining(a) < combining(b); });
    run = end;
  }
  auto length = static_cast<utf8proc_ssize_t>(decomposed.size());
  if (form == NormalForm::nfc || form == NormalForm::nfkc) {
    const auto compose = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    length = utf8proc_normalize_utf32(decomposed.data(), length, compose);
  }
  std::string out;
  out.reserve(text.size());
  for (utf8proc_ssize_t i = 0; i < length; ++i) append_utf8(out, decomposed[static_cast<std::size_t>(i)]);
  return out;
}

bool is_number(std::int32_t code_point) {
  const auto category = utf8proc_category(code_point);
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

bool is_word(std::int32_t code_point) {
  const auto category = utf8proc_category(code_point);
  if (code_point == 0x200C || code_point == 0x200D) return true;
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_PC &&
         category != UTF8PROC_CATEGORY_NO;
}

bool is_white_space(std::int32_t code_point) {
  if ((code_point >= 0x09 && code_point <= 0x0D) || code_point == 0x85) return true;
  const auto category = utf8proc_category(code_point);
  return category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP;
}

}  // namespace walsh

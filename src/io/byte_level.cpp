#include "io/byte_level.h"

#include <array>
#include <cstdint>

#include "io/utf8.h"

namespace walsh {
namespace {

struct Alphabet {
  std::array<std::string, 256> character;
  std::array<std::int16_t, 0x144> byte;  // -1: not in the alphabet

  Alphabet() {
    byte.fill(-1);
    std::int32_t next = 0x100;
    for (std::int32_t b = 0; b < 256; ++b) {
      const bool itself = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      const std::int32_t code_point = itself ? b : next++;
      append_utf8(character[static_cast<std::size_t>(b)], code_point);
      byte[static_cast<std::size_t>(code_point)] = static_cast<std::int16_t>(b);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

std::string to_byte_level(std::string_view text) {
  const auto& characters = alphabet().character;
  std::string out;
  out.reserve(text.size() + text.size() / 4);
  for (const char c : text) out += characters[static_cast<unsigned char>(c)];
  return out;
}

std::optional<std::string> from_byte_level(std::string_view text) {
  const auto& bytes = alphabet().byte;
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character_at(text, at);
    if (c.code_point < 0 || c.code_point >= static_cast<std::int32_t>(bytes.size())) return std::nullopt;
    const auto byte = bytes[static_cast<std::size_t>(c.code_point)];
    if (byte < 0) return std::nullopt;
    out += static_cast<char>(byte);
    at += c.length;
  }
  return out;
}

}  // namespace walsh

#include "tensor/packing.h"

#include <algorithm>

#include "base/error.h"
#include "tensor/quantized_matrix.h"

namespace walsh {
namespace {

void require_words(std::size_t words, std::size_t codes, std::uint32_t bits) {
  const std::size_t needed = words_per_row(static_cast<std::uint32_t>(codes), bits);
  if (words < needed)
    fail("packing: {} words for {} codes of {} bits, which take {}", words, codes, bits, needed);
}

}  // namespace

void pack_codes(std::span<const std::uint8_t> codes, std::uint32_t bits, std::span<std::uint32_t> words) {
  require_words(words.size(), codes.size(), bits);
  std::ranges::fill(words, 0u);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::size_t bit = i * bits;
    const std::uint64_t shifted = std::uint64_t{codes[i]} << (bit % 32);
    words[bit / 32] |= static_cast<std::uint32_t>(shifted);
    if (bit % 32 + bits > 32) words[bit / 32 + 1] |= static_cast<std::uint32_t>(shifted >> 32);
  }
}

std::vector<std::uint32_t> pack_codes(std::span<const std::uint8_t> codes, std::uint32_t bits) {
  std::vector<std::uint32_t> words(words_per_row(static_cast<std::uint32_t>(codes.size()), bits));
  pack_codes(codes, bits, words);
  return words;
}

void unpack_codes(std::span<const std::uint32_t> words, std::uint32_t bits, std::span<std::uint8_t> codes) {
  require_words(words.size(), codes.size(), bits);
  const std::uint32_t mask = (1u << bits) - 1;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::size_t bit = i * bits;
    std::uint64_t pair = words[bit / 32];
    if (bit % 32 + bits > 32) pair |= std::uint64_t{words[bit / 32 + 1]} << 32;
    codes[i] = static_cast<std::uint8_t>((pair >> (bit % 32)) & mask);
  }
}

void unpack_codes_ten_a_word(std::span<const std::uint32_t> words, std::span<std::uint8_t> codes) {
  if (words.size() * 10 < codes.size())
    fail("packing: {} words of ten codes for {}", words.size(), codes.size());
  for (std::size_t i = 0; i < codes.size(); ++i)
    codes[i] = static_cast<std::uint8_t>((words[i / 10] >> (3 * (i % 10))) & 7u);
}

std::vector<std::uint8_t> pack_nibbles(std::span<const std::int8_t> codes) {
  std::vector<std::uint8_t> bytes((codes.size() + 1) / 2);
  for (std::size_t i = 0; i < codes.size(); ++i)
    bytes[i / 2] = static_cast<std::uint8_t>(bytes[i / 2] | ((codes[i] & 0xf) << (4 * (i % 2))));
  return bytes;
}

void unpack_nibbles(std::span<const std::uint8_t> bytes, std::span<std::int8_t> codes) {
  if (bytes.size() * 2 < codes.size())
    fail("packing: {} bytes of two codes for {}", bytes.size(), codes.size());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const int nibble = (bytes[i / 2] >> (4 * (i % 2))) & 0xf;
    codes[i] = static_cast<std::int8_t>(nibble < 8 ? nibble : nibble - 16);
  }
}

}  // namespace walsh

// Codes as bits: little-endian streams of 32-bit words, where code i occupies bits [i·b, (i+1)·b), and signed
// nibbles.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace walsh {

/// Writes codes < 2^bits, bits in {2, 3, 4, 8}, to words_per_row(codes.size(), bits) words; unused bits are
/// zero.
void pack_codes(std::span<const std::uint8_t> codes, std::uint32_t bits, std::span<std::uint32_t> words);
std::vector<std::uint32_t> pack_codes(std::span<const std::uint8_t> codes, std::uint32_t bits);

void unpack_codes(std::span<const std::uint32_t> words, std::uint32_t bits, std::span<std::uint8_t> codes);

/// The 3-bit layout of EfficientQAT: ten codes a word, the two highest bits unused. Read only.
void unpack_codes_ten_a_word(std::span<const std::uint32_t> words, std::span<std::uint8_t> codes);

/// Two signed codes in [-8, 7] a byte, the first in the low nibble; an odd last code is followed by zero
/// bits.
std::vector<std::uint8_t> pack_nibbles(std::span<const std::int8_t> codes);
void unpack_nibbles(std::span<const std::uint8_t> bytes, std::span<std::int8_t> codes);

}  // namespace walsh

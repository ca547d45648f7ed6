// The number formats of GGUF files: blocks of weights along the input, each with scales of its own. Values
// are fp32, in this order of operations (d, m: fp16; q: an unsigned code):
//   Q4_0, Q5_0   w = d·(q − 8), d·(q − 16)            32 weights
//   Q4_1, Q5_1   w = d·q + m                          32
//   Q8_0         w = d·q, q signed                    32
//   Q4_K, Q5_K   w = (d·s)·q − d'·s', s and s' of 6 bits for every 32 of 256 weights
//   Q6_K         w = (d·s)·(q − 32), s of 8 bits, signed, for every 16 of 256
// In a block of 32, byte j of the sixteen holds the low four bits of weight j (low nibble) and of weight j +
// 16 (high nibble); fifth bits lie in a word of their own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace walsh {

/// The types that walsh reads, by their numbers in a file.
enum class GgmlType : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  bf16 = 30,
};

struct GgmlFormat {
  GgmlType type;
  std::string_view name;
  std::uint32_t weights;  // of a block; 1 where there are no blocks
  std::uint32_t bytes;    // of a block
};

/// Every format, by rising number.
std::span<const GgmlFormat> ggml_formats();
const GgmlFormat& format_of(GgmlType type);
/// By the number in a file, or by name ("Q4_1"); nullptr for those that walsh does not read.
const GgmlFormat* find_ggml_format(std::uint32_t number);
const GgmlFormat* find_ggml_format(std::string_view name);

/// `blocks` are whole; out.size() weights.
void dequantize(GgmlType type, std::span<const std::byte> blocks, std::span<float> out);

/// A block of 32 whose codes are read one by one: w = d·(q − zero), or d·q + m where the format has an
/// offset.
struct GgmlCodes {
  std::uint16_t d_f16 = 0;
  std::uint16_t m_f16 = 0;                  // Q4_1, Q5_1
  std::array<std::uint8_t, 32> codes = {};  // Q8_0: q + 128
};
/// What turns a format's codes into walsh's: bits that hold them (4 or 8), and the zero; none for the formats
/// whose scales are not single fp16 numbers.
struct GgmlGrid {
  std::uint32_t bits;
  std::uint32_t zero;
  bool offset;  // d·q + m
};
std::optional<GgmlGrid> grid_of(GgmlType type);
GgmlCodes read_codes(GgmlType type, std::span<const std::byte> block);

/// The inverse, for Q4_0, Q4_1 and Q8_0.
void write_codes(GgmlType type, const GgmlCodes& codes, std::span<std::byte> block);

/// A block's scale (and offset, where the format has one) in place of its own.
void write_grid(GgmlType type, std::uint16_t d_f16, std::uint16_t m_f16, std::span<std::byte> block);

/// Q8_0 by rounding to nearest with d = max|w| / 127.
GgmlCodes quantize_q8_0(std::span<const float, 32> weights);

}  // namespace walsh

#include "io/ggml_blocks.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/half.h"

namespace walsh {
namespace {

constexpr GgmlFormat formats[] = {
    {GgmlType::f32, "F32", 1, 4},       {GgmlType::f16, "F16", 1, 2},
    {GgmlType::q4_0, "Q4_0", 32, 18},   {GgmlType::q4_1, "Q4_1", 32, 20},
    {GgmlType::q5_0, "Q5_0", 32, 22},   {GgmlType::q5_1, "Q5_1", 32, 24},
    {GgmlType::q8_0, "Q8_0", 32, 34},   {GgmlType::q4_k, "Q4_K", 256, 144},
    {GgmlType::q5_k, "Q5_K", 256, 176}, {GgmlType::q6_k, "Q6_K", 256, 210},
    {GgmlType::bf16, "BF16", 1, 2},
};

using Bytes = const std::uint8_t*;

std::uint16_t half_at(Bytes bytes) { return static_cast<std::uint16_t>(bytes[0] | (bytes[1] << 8)); }
float float_at(Bytes bytes) { return f16_to_float(half_at(bytes)); }

void put_half(std::uint8_t* bytes, std::uint16_t half) {
  bytes[0] = static_cast<std::uint8_t>(half);
  bytes[1] = static_cast<std::uint8_t>(half >> 8);
}

void take_nibbles(Bytes bytes, std::array<std::uint8_t, 32>& codes) {
  for (std::size_t j = 0; j < 16; ++j) {
    codes[j] = bytes[j] & 0xf;
    codes[j + 16] = bytes[j] >> 4;
  }
}

void take_fifth_bits(Bytes bytes, std::array<std::uint8_t, 32>& codes) {
  for (std::size_t j = 0; j < 32; ++j)
    codes[j] = static_cast<std::uint8_t>(codes[j] | ((bytes[j / 8] >> (j % 8) & 1) << 4));
}

/// Twelve bytes hold eight pairs of 6-bit numbers: the first four pairs in the low six bits of bytes 0-3 and
/// 4-7, the others with their low nibbles in bytes 8-11 and their highest two bits on top of bytes 0-3 and
/// 4-7.
struct ScaleAndMinimum {
  std::uint8_t scale, minimum;
};
ScaleAndMinimum six_bit_pair(Bytes packed, std::size_t k) {
  if (k < 4)
    return {static_cast<std::uint8_t>(packed[k] & 63), static_cast<std::uint8_t>(packed[k + 4] & 63)};
  return {static_cast<std::uint8_t>((packed[k + 4] & 0xf) | (packed[k - 4] >> 6 << 4)),
          static_cast<std::uint8_t>((packed[k + 4] >> 4) | (packed[k] >> 6 << 4))};
}

/// Q4_K: d, d', 12 bytes of scales, 128 of nibbles. Q5_K: 32 bytes of fifth bits before the nibbles, bit k of
/// byte j for weight j of the k-th 32. Nibbles of 64 weights share 32 bytes: low for the first 32, high for
/// the second.
void dequantize_k(Bytes block, bool five, float* out) {
  const float d = float_at(block), minimum = float_at(block + 2);
  const Bytes fifth = block + 16, nibbles = block + (five ? 48 : 16);
  for (std::size_t k = 0; k < 8; ++k) {
    const auto pair = six_bit_pair(block + 4, k);
    const float scale = d * static_cast<float>(pair.scale),
                offset = minimum * static_cast<float>(pair.minimum);
    for (std::size_t j = 0; j < 32; ++j) {
      const std::uint8_t byte = nibbles[k / 2 * 32 + j];
      int code = k % 2 == 0 ? byte & 0xf : byte >> 4;
      if (five) code |= (fifth[j] >> k & 1) << 4;
      out[32 * k + j] = scale * static_cast<float>(code) - offset;
    }
  }
}

/// 128 bytes of low nibbles, 64 of high pairs of bits, 16 signed scales, d. Each half (128 weights) is four
/// runs of 32: runs 0 and 1 are the low nibbles of 64 bytes, 2 and 3 the high ones; run r has bits 2r of the
/// half's 32 bytes on top.
void dequantize_q6_k(Bytes block, float* out) {
  const float d = float_at(block + 208);
  for (std::size_t half = 0; half < 2; ++half) {
    const Bytes low = block + 64 * half, high = block + 128 + 32 * half, scales = block + 192 + 8 * half;
    for (std::size_t run = 0; run < 4; ++run) {
      for (std::size_t j = 0; j < 32; ++j) {
        const std::uint8_t byte = low[run % 2 * 32 + j];
        const int code = (run < 2 ? byte & 0xf : byte >> 4) | (high[j] >> (2 * run) & 3) << 4;
        const auto scale = static_cast<std::int8_t>(scales[2 * run + j / 16]);
        *out++ = d * static_cast<float>(scale) * static_cast<float>(code - 32);
      }
    }
  }
}

void dequantize_codes(GgmlType type, std::span<const std::byte> block, float* out) {
  const GgmlCodes c = read_codes(type, block);
  const GgmlGrid grid = *grid_of(type);
  const float d = f16_to_float(c.d_f16), m = f16_to_float(c.m_f16);
  for (std::size_t j = 0; j < 32; ++j) {
    const auto code = static_cast<float>(c.codes[j]);
    out[j] = grid.offset ? d * code + m : d * (code - static_cast<float>(grid.zero));
  }
}

}  // namespace

std::span<const GgmlFormat> ggml_formats() { return formats; }

const GgmlFormat* find_ggml_format(std::uint32_t number) {
  for (const GgmlFormat& format : formats)
    if (static_cast<std::uint32_t>(format.type) == number) return &format;
  return nullptr;
}

const GgmlFormat* find_ggml_format(std::string_view name) {
  for (const GgmlFormat& format : formats)
    if (format.name == name) return &format;
  return nullptr;
}

const GgmlFormat& format_of(GgmlType type) { return *find_ggml_format(static_cast<std::uint32_t>(type)); }

void dequantize(GgmlType type, std::span<const std::byte> blocks, std::span<float> out) {
  const GgmlFormat& format = format_of(type);
  require(out.size() % format.weights == 0 && blocks.size() == out.size() / format.weights * format.bytes,
          "{} bytes of {} for {} weights", blocks.size(), format.name, out.size());
  for (std::size_t i = 0; i < out.size(); i += format.weights) {
    const auto block = blocks.subspan(i / format.weights * format.bytes, format.bytes);
    const auto* bytes = reinterpret_cast<Bytes>(block.data());
    switch (type) {
      case GgmlType::f32:
        std::memcpy(&out[i], bytes, 4);
        break;
      case GgmlType::f16:
        out[i] = float_at(bytes);
        break;
      case GgmlType::bf16:
        out[i] = bf16_to_float(half_at(bytes));
        break;
      case GgmlType::q4_k:
      case GgmlType::q5_k:
        dequantize_k(bytes, type == GgmlType::q5_k, &out[i]);
        break;
      case GgmlType::q6_k:
        dequantize_q6_k(bytes, &out[i]);
        break;
      case GgmlType::q4_0:
      case GgmlType::q4_1:
      case GgmlType::q5_0:
      case GgmlType::q5_1:
      case GgmlType::q8_0:
        dequantize_codes(type, block, &out[i]);
        break;
    }
  }
}

std::optional<GgmlGrid> grid_of(GgmlType type) {
  switch (type) {
    case GgmlType::q4_0:
      return GgmlGrid{4, 8, false};
    case GgmlType::q4_1:
      return GgmlGrid{4, 0, true};
    case GgmlType::q5_0:
      return GgmlGrid{8, 16, false};
    case GgmlType::q5_1:
      return GgmlGrid{8, 0, true};
    case GgmlType::q8_0:
      return GgmlGrid{8, 128, false};
    default:
      return std::nullopt;
  }
}

GgmlCodes read_codes(GgmlType type, std::span<const std::byte> block) {
  require(grid_of(type).has_value() && block.size() == format_of(type).bytes,
          "a block of {} bytes of {} has no codes of its own", block.size(), format_of(type).name);
  const auto* bytes = reinterpret_cast<Bytes>(block.data());
  GgmlCodes c{.d_f16 = half_at(bytes)};
  bytes += 2;
  if (grid_of(type)->offset) {
    c.m_f16 = half_at(bytes);
    bytes += 2;
  }
  if (type == GgmlType::q8_0) {
    for (std::size_t j = 0; j < 32; ++j) c.codes[j] = bytes[j] ^ 0x80;  // + 128
    return c;
  }
  const bool five = type == GgmlType::q5_0 || type == GgmlType::q5_1;
  take_nibbles(bytes + (five ? 4 : 0), c.codes);
  if (five) take_fifth_bits(bytes, c.codes);
  return c;
}

void write_codes(GgmlType type, const GgmlCodes& c, std::span<std::byte> block) {
  require((type == GgmlType::q4_0 || type == GgmlType::q4_1 || type == GgmlType::q8_0) &&
              block.size() == format_of(type).bytes,
          "a block of {} bytes of {} is not written from codes", block.size(), format_of(type).name);
  write_grid(type, c.d_f16, c.m_f16, block);
  auto* bytes = reinterpret_cast<std::uint8_t*>(block.data()) + (type == GgmlType::q4_1 ? 4 : 2);
  if (type == GgmlType::q8_0) {
    for (std::size_t j = 0; j < 32; ++j) bytes[j] = c.codes[j] ^ 0x80;
  } else {
    for (std::size_t j = 0; j < 16; ++j)
      bytes[j] = static_cast<std::uint8_t>(c.codes[j] | (c.codes[j + 16] << 4));
  }
}

void write_grid(GgmlType type, std::uint16_t d_f16, std::uint16_t m_f16, std::span<std::byte> block) {
  require(grid_of(type).has_value() && block.size() == format_of(type).bytes,
          "a block of {} bytes of {} has no grid of its own", block.size(), format_of(type).name);
  auto* bytes = reinterpret_cast<std::uint8_t*>(block.data());
  put_half(bytes, d_f16);
  if (grid_of(type)->offset) put_half(bytes + 2, m_f16);
}

GgmlCodes quantize_q8_0(std::span<const float, 32> weights) {
  float largest = 0;
  for (const float w : weights) largest = std::max(largest, std::abs(w));
  GgmlCodes c{.d_f16 = float_to_f16(largest / 127)};
  const float d = f16_to_float(c.d_f16);
  for (std::size_t j = 0; j < 32; ++j) {
    const float code = d > 0 ? std::clamp(std::nearbyint(weights[j] / d), -128.0f, 127.0f) : 0;
    c.codes[j] = static_cast<std::uint8_t>(static_cast<int>(code) + 128);
  }
  return c;
}

}  // namespace walsh

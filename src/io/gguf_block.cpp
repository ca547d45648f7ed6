#include "io/gguf_block.h"

#include "base/half.h"

namespace walsh {
namespace {

void put_half(std::uint8_t* bytes, std::uint16_t half) {
  bytes[0] = static_cast<std::uint8_t>(half);
  bytes[1] = static_cast<std::uint8_t>(half >> 8);
}

float get_half(const std::uint8_t* bytes) {
  return f16_to_float(static_cast<std::uint16_t>(bytes[0] | (bytes[1] << 8)));
}

void put_codes(std::uint8_t* bytes, std::span<const std::uint8_t, gguf_block_size> codes) {
  for (std::size_t j = 0; j < 16; ++j) bytes[j] = static_cast<std::uint8_t>(codes[j] | (codes[j + 16] << 4));
}

float get_code(const std::uint8_t* bytes, std::size_t i) {
  return static_cast<float>(i < 16 ? bytes[i] & 0xf : bytes[i - 16] >> 4);
}

}  // namespace

BlockQ4_0 pack_q4_0(std::span<const std::uint8_t, gguf_block_size> codes, std::uint16_t d_f16) {
  BlockQ4_0 block;
  put_half(block.data(), d_f16);
  put_codes(block.data() + 2, codes);
  return block;
}

BlockQ4_1 pack_q4_1(std::span<const std::uint8_t, gguf_block_size> codes, std::uint16_t d_f16,
                    std::uint16_t m_f16) {
  BlockQ4_1 block;
  put_half(block.data(), d_f16);
  put_half(block.data() + 2, m_f16);
  put_codes(block.data() + 4, codes);
  return block;
}

std::array<float, gguf_block_size> dequantize(const BlockQ4_0& block) {
  std::array<float, gguf_block_size> weights;
  const float d = get_half(block.data());
  for (std::size_t i = 0; i < gguf_block_size; ++i) weights[i] = d * (get_code(block.data() + 2, i) - 8.0f);
  return weights;
}

std::array<float, gguf_block_size> dequantize(const BlockQ4_1& block) {
  std::array<float, gguf_block_size> weights;
  const float d = get_half(block.data());
  const float m = get_half(block.data() + 2);
  for (std::size_t i = 0; i < gguf_block_size; ++i) weights[i] = d * get_code(block.data() + 4, i) + m;
  return weights;
}

}  // namespace walsh

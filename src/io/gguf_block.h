// GGUF's 4-bit blocks of 32 weights along the input (ggml's layout): byte j of the sixteen holds the code of
// weight j (low nibble) and of weight j + 16 (high nibble).
//   Q4_0: fp16 d, 16 bytes            w = d·(q − 8)
//   Q4_1: fp16 d, fp16 m, 16 bytes    w = d·q + m
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace walsh {

constexpr std::size_t gguf_block_size = 32;
using BlockQ4_0 = std::array<std::uint8_t, 18>;
using BlockQ4_1 = std::array<std::uint8_t, 20>;

BlockQ4_0 pack_q4_0(std::span<const std::uint8_t, gguf_block_size> codes, std::uint16_t d_f16);
BlockQ4_1 pack_q4_1(std::span<const std::uint8_t, gguf_block_size> codes, std::uint16_t d_f16,
                    std::uint16_t m_f16);

std::array<float, gguf_block_size> dequantize(const BlockQ4_0& block);
std::array<float, gguf_block_size> dequantize(const BlockQ4_1& block);

}  // namespace walsh

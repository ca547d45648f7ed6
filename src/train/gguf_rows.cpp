#include "train/gguf_rows.h"

#include "base/error.h"
#include "base/half.h"
#include "model/weights.h"

namespace walsh {
namespace {

constexpr std::uint32_t block = 32;

/// The 32 codes of a row from `first`, their grid with them, for a format with a zero of its own (or an
/// offset).
GgmlCodes codes_at(const QuantizedMatrix& q, std::uint32_t row, std::uint32_t first, GgmlType type,
                   const std::string& name) {
  const std::uint32_t k = first / q.group_size, high = q.zero(row, k);
  const GgmlGrid grid = *grid_of(type);
  GgmlCodes codes{.d_f16 = static_cast<std::uint16_t>(q.grid[std::size_t{row} * q.groups() + k])};
  const float d = f16_to_float(codes.d_f16);
  if (grid.offset) {
    codes.m_f16 = q.offset ? static_cast<std::uint16_t>(high) : float_to_f16(-(d * static_cast<float>(high)));
    require(q.bits <= 4, "gguf: {}: codes of {} bits do not fit {}", name, q.bits, format_of(type).name);
    for (std::uint32_t j = 0; j < block; ++j)
      codes.codes[j] = static_cast<std::uint8_t>(q.code(row, first + j));
    return codes;
  }
  require(!q.offset, "gguf: the grid of {} has float offsets, which {} does not hold; --gguf-type Q4_1 does",
          name, format_of(type).name);
  const std::uint32_t largest = type == GgmlType::q4_0 ? 15 : 255;
  for (std::uint32_t j = 0; j < block; ++j) {
    const std::uint32_t code = q.code(row, first + j) + grid.zero - high;
    require(code <= largest, "gguf: {}: codes from {} to {} around the zero do not fit {}", name,
            -static_cast<int>(high), (1 << q.bits) - 1 - static_cast<int>(high), format_of(type).name);
    codes.codes[j] = static_cast<std::uint8_t>(code);
  }
  return codes;
}

}  // namespace

std::vector<std::byte> to_blocks(const EffectiveLayer& layer, GgmlType type) {
  const GgmlFormat& format = format_of(type);
  if (type == GgmlType::f32) return to_bytes(layer.weight, DType::f32);
  if (type == GgmlType::f16) return to_bytes(layer.weight, DType::f16);
  if (type == GgmlType::bf16) return to_bytes(layer.weight, DType::bf16);
  require(layer.columns % block == 0, "gguf: {}: a width of {} is not whole blocks of {} ({})", layer.name,
          layer.columns, block, format.name);
  const bool from_codes =
      layer.codes && layer.codes->group_size % block == 0 && !(type == GgmlType::q8_0 && layer.codes->offset);
  require(from_codes || type == GgmlType::q8_0, "gguf: {}: {}; --gguf-type F16 or Q8_0 rounds it", layer.name,
          layer.codes ? "its groups are not whole blocks of 32"
                      : fmt::format("it is no quantised matrix in the forward pass, so {} cannot hold it",
                                    format.name));
  const std::size_t row_blocks = layer.columns / block;
  std::vector<std::byte> bytes(layer.rows * row_blocks * format.bytes);
  for (std::uint32_t row = 0; row < layer.rows; ++row) {
    for (std::uint32_t k = 0; k < row_blocks; ++k) {
      const GgmlCodes codes =
          from_codes ? codes_at(*layer.codes, row, k * block, type, layer.name)
                     : quantize_q8_0(std::span<const float, block>(
                           layer.weight.data() + std::size_t{row} * layer.columns + k * block, block));
      write_codes(type, codes, std::span(bytes).subspan((row * row_blocks + k) * format.bytes, format.bytes));
    }
  }
  return bytes;
}

GgmlType type_for(const EffectiveLayer& layer) {
  const QuantizedMatrix& q = *layer.codes;
  if (q.bits == 8) return GgmlType::q8_0;
  if (q.offset) return GgmlType::q4_1;
  for (std::uint32_t i = 0; i < q.rows; ++i) {
    for (std::uint32_t k = 0; k < q.groups(); ++k) {
      const std::uint32_t zero = q.zero(i, k);
      if (zero > 8 || (1u << q.bits) - 1 > 7 + zero) return GgmlType::q4_1;
    }
  }
  return GgmlType::q4_0;
}

}  // namespace walsh

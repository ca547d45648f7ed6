#include "quantize/rtn.h"

#include <cmath>
#include <vector>

#include "base/error.h"
#include "quantize/grid.h"
#include "tensor/packing.h"

namespace walsh {
namespace {

constexpr float largest_f16 = 65504.0f;

float round_to_f16(float scale) {
  return f16_to_float(float_to_f16(std::clamp(scale, 0x1p-14f, largest_f16)));
}

}  // namespace

StoredGrid stored_grid(float scale, int zero) {
  const float rounded = round_to_f16(scale);
  return {rounded, zero, grid_word(float_to_f16(rounded), static_cast<std::uint32_t>(zero))};
}

StoredGrid stored_grid(std::span<const float> group, std::uint32_t bits, bool symmetric) {
  const int middle = 1 << (bits - 1);
  if (symmetric) return stored_grid(gptq_symmetric_scale(group, bits), middle);
  const Range<float> range = weight_range(group);
  if (range.low == range.high) return stored_grid(2.0f / static_cast<float>(code_steps(bits)), middle);
  const float scale = round_to_f16(asymmetric_grid(group, bits).scale);
  return stored_grid(scale, zero_for(range, scale, bits));
}

std::uint32_t checked_group_size(std::uint32_t columns, std::uint32_t bits, int group_size,
                                 std::string_view name) {
  require(bits == 2 || bits == 3 || bits == 4 || bits == 8, "{}: {} bits a code, expected 2, 3, 4 or 8", name,
          bits);
  require(columns > 0, "{}: the input width is 0", name);
  if (group_size == -1) return columns;
  require(group_size > 0 && columns % static_cast<std::uint32_t>(group_size) == 0,
          "{}: group size {} does not divide the input width {}; choose one that does, or -1 (per channel)",
          name, group_size, columns);
  return static_cast<std::uint32_t>(group_size);
}

void require_quantizable(std::span<const float> weights, std::uint32_t rows, std::uint32_t columns,
                         std::uint32_t bits, int group_size, bool symmetric, std::string_view name) {
  const std::uint32_t group = checked_group_size(columns, bits, group_size, name);
  require(weights.size() == std::size_t{rows} * columns, "{}: {} weights, expected {} x {}", name,
          weights.size(), rows, columns);
  for (std::size_t i = 0; i < weights.size(); ++i)
    require(std::isfinite(weights[i]), "{}: weight [{}, {}] is {}, not a finite number", name, i / columns,
            i % columns, weights[i]);
  for (std::size_t i = 0; i < weights.size(); i += group)
    require(stored_grid(weights.subspan(i, group), bits, symmetric).scale < largest_f16,
            "{}: the weights of row {} are too large for an fp16 scale", name, i / columns);
}

QuantizedMatrix quantize_rtn(std::span<const float> weights, std::uint32_t rows, std::uint32_t columns,
                             std::uint32_t bits, int group_size, bool symmetric, std::string_view name) {
  QuantizedMatrix q{.rows = rows,
                    .columns = columns,
                    .bits = bits,
                    .group_size = checked_group_size(columns, bits, group_size, name),
                    .symmetric = symmetric,
                    .codes = {},
                    .grid = {}};
  require_quantizable(weights, rows, columns, bits, group_size, symmetric, name);

  const std::size_t row_words = words_per_row(columns, bits);
  q.codes.resize(rows * row_words);
  q.grid.reserve(std::size_t{rows} * q.groups());
  std::vector<std::uint8_t> codes(columns);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::uint32_t first = 0; first < columns; first += q.group_size) {
      const auto group = weights.subspan(row * columns + first, q.group_size);
      const StoredGrid grid = stored_grid(group, bits, symmetric);
      for (std::uint32_t j = 0; j < q.group_size; ++j)
        codes[first + j] = static_cast<std::uint8_t>(asymmetric_code(group[j], grid.scale, grid.zero, bits));
      q.grid.push_back(grid.word);
    }
    pack_codes(codes, bits, std::span(q.codes).subspan(row * row_words, row_words));
  }
  return q;
}

}  // namespace walsh

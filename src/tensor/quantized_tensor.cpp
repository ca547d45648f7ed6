#include "tensor/quantized_tensor.h"

#include "base/error.h"

namespace walsh {

QuantizedTensor reserve_quantized(vk::Arena& arena, std::uint32_t rows, std::uint32_t columns,
                                  std::uint32_t bits, std::uint32_t group_size, bool offset) {
  require(bits == 2 || bits == 3 || bits == 4 || bits == 8,
          "a quantised matrix of {} bits, expected 2, 3, 4 or 8", bits);
  require(group_size > 0 && columns % group_size == 0,
          "a quantised matrix [{}, {}] in groups of {}, which must divide {}", rows, columns, group_size,
          columns);
  return {.codes = reserve(arena, DType::u32, {rows, words_per_row(columns, bits)}),
          .grid = reserve(arena, DType::u32, {rows, columns / group_size}),
          .rows = rows,
          .columns = columns,
          .bits = bits,
          .group_size = group_size,
          .offset = offset};
}

void upload(vk::Device& device, const QuantizedTensor& to, const QuantizedMatrix& from) {
  if (to.offset && !from.offset) return upload(device, to, with_offsets(from));
  require(to.rows == from.rows && to.columns == from.columns && to.bits == from.bits &&
              to.group_size == from.group_size && to.offset == from.offset,
          "a quantised matrix [{}, {}] of {} bits in groups of {} for a tensor [{}, {}] of {} bits in groups "
          "of {}",
          from.rows, from.columns, from.bits, from.group_size, to.rows, to.columns, to.bits, to.group_size);
  require(from.codes.size() == to.codes.shape.elements() && from.grid.size() == to.grid.shape.elements(),
          "a quantised matrix with {} words of codes and {} of grid, expected {} and {}", from.codes.size(),
          from.grid.size(), to.codes.shape.elements(), to.grid.shape.elements());
  device.upload(to.codes, from.codes);
  device.upload(to.grid, from.grid);
}

}  // namespace walsh

#include "ops/gemm.h"

#include <algorithm>
#include <bit>

#include "ops/texels.h"

namespace walsh {

GemmTile choose_tile(const vk::DeviceInfo& device, std::uint64_t rows, std::uint64_t columns,
                     WeightKind weight) {
  if (device.tuning.lane_by_lane) {
    // Shapes that texels cannot serve (see choose_texel_tile). lavapipe inserts every word of a load, of
    // shared memory too, lane by lane, so: no staging, lanes along the rows, and as many accumulators as
    // compile in about a second.
    if (rows <= 8)
      return {.gx = 8, .gy = 1, .tm = std::bit_ceil(static_cast<std::uint32_t>(rows)), .tn = 8, .bk = 0};
    if (rows < 64 || columns < 256) return {.gx = 1, .gy = 8, .tm = 2, .tn = 8, .bk = 0};
    // Checked edges make a large tile slow to compile (ten seconds), so it is kept for sizes that it divides.
    if (rows % 64 != 0 || columns % 32 != 0) return {.gx = 1, .gy = 8, .tm = 4, .tn = 16, .bk = 0};
    // A word of codes serves eight products, a float one: packed weights want more columns, dense ones a
    // square.
    if (weight == WeightKind::packed) return {.gx = 1, .gy = 8, .tm = 8, .tn = 32, .bk = 0};
    return {.gx = 1, .gy = 8, .tm = 8, .tn = 16, .bk = 0};
  }
  if (rows * columns >= device.tuning.large_tile_results)
    return {.gx = 16, .gy = 16, .tm = 8, .tn = 8, .bk = 16};
  return {.gx = 16, .gy = 16, .tm = 4, .tn = 4, .bk = 16};
}

bool reads_texels(const vk::DeviceInfo& device, std::initializer_list<std::uint64_t> widths,
                  std::initializer_list<vk::Slice> operands) {
  return std::ranges::all_of(widths, [](std::uint64_t width) { return width % 8 == 0; }) &&
         prefers_texels(device, operands);
}

// Measured on lavapipe (Mesa 22.3, AVX2): a fetch costs as much as nine products, so more columns pay until
// the unrolled code takes seconds to compile. 512 x 4096 x 14336 in 4 bits, GFLOP per second of two cores:
// forward 19.5 with 8 columns, 21 with 16, 23.5 with 32. 512 x 896 x 1024, f32: forward 11.5 with 8, 15 with
// 16, backward 8.5 and 10.5, gradient of the weight the same with both.
GemmTile choose_texel_tile(std::uint64_t rows, std::uint32_t tn) {
  // Text generation's few tokens: lanes along the columns.
  if (rows <= 8)
    return {.gx = 8, .gy = 1, .tm = std::bit_ceil(static_cast<std::uint32_t>(rows)), .tn = tn, .bk = 0};
  return {.gx = 2, .gy = 4, .tm = rows <= 32 ? 4U : 8U, .tn = tn, .bk = 0};
}

bool divides(const GemmTile& tile, std::uint64_t rows, std::uint64_t columns, std::uint64_t depth) {
  return rows % tile.rows() == 0 && columns % tile.columns() == 0 && depth % (tile.bk > 0 ? tile.bk : 8) == 0;
}

Groups groups_for(const GemmTile& tile, std::uint64_t rows, std::uint64_t columns) {
  return groups_for_tiles({columns, rows}, {tile.columns(), tile.rows()});
}

void expect_rows(std::string_view op, std::string_view name, const Tensor& tensor, std::uint64_t width,
                 std::uint64_t rows) {
  require(static_cast<bool>(tensor), "{}: {} is missing", op, name);
  require(tensor.dtype == DType::f32, "{}: {} is {}, expected f32", op, name, name_of(tensor.dtype));
  require(tensor.shape.back() == width && tensor.shape.rows() == rows,
          "{}: {} has shape {}, expected [{}, {}]", op, name, tensor.shape.text(), rows, width);
  count32(op, tensor.shape.elements());
}

}  // namespace walsh

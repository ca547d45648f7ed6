#include "ops/gemm.h"

namespace walsh {

GemmTile choose_tile(const vk::DeviceInfo& device, std::uint64_t rows, std::uint64_t columns) {
  if (device.type == vk::DeviceType::cpu) return {.gx = 8, .gy = 1, .tm = 8, .tn = 8, .bk = 32};
  // 128 × 128 pays once it fills a large GPU; below, more and smaller tiles do.
  if (rows * columns >= 512 * 128 * 128) return {.gx = 16, .gy = 16, .tm = 8, .tn = 8, .bk = 16};
  return {.gx = 16, .gy = 16, .tm = 4, .tn = 4, .bk = 16};
}

bool divides(const GemmTile& tile, std::uint64_t rows, std::uint64_t columns, std::uint64_t depth) {
  return rows % tile.rows() == 0 && columns % tile.columns() == 0 && depth % tile.bk == 0;
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

#include "ops/transpose.h"

#include "ops/texels.h"
#include "shaders/transpose.h"

namespace walsh {

void transpose(Recorder& rec, const Tensor& y, const Tensor& x) {
  const std::uint64_t rows = x.shape.rows(), columns = x.shape.back();
  expect("transpose", "x", x, DType::f32, {rows, columns});
  expect("transpose", "y", y, DType::f32, {columns, rows});
  count32("transpose", x.shape.elements());
  const TransposeArgs args{static_cast<std::uint32_t>(rows), static_cast<std::uint32_t>(columns)};
  if (columns % 4 == 0 && prefers_texels(rec.device().info(), {x})) {
    rec.dispatch("transpose_texels", {y, x}, args, groups_for_elements(rows * columns / 4));
    return;
  }
  rec.dispatch("transpose", {y, x}, args,
               groups_for_rows(std::uint64_t{ceil_div(rows, 32)} * ceil_div(columns, 32)));
}

}  // namespace walsh

#include "ops/scatter.h"

#include "shaders/scatter.h"

namespace walsh {

void scatter_rows(Recorder& rec, const Tensor& y, const Tensor& x, const Tensor& index) {
  const std::uint64_t rows = x.shape[0], slots = y.shape[0];
  const std::uint64_t width = x.shape.elements() / rows;
  expect("scatter_rows", "y", y, DType::f32, y.shape);
  expect("scatter_rows", "x", x, DType::f32, x.shape);
  expect("scatter_rows", "index", index, DType::u32, {rows});
  require(y.shape.elements() == slots * width, "scatter_rows: y has shape {}, rows of x have {} values",
          y.shape.text(), width);
  const ScatterArgs args{static_cast<std::uint32_t>(rows), static_cast<std::uint32_t>(width),
                         static_cast<std::uint32_t>(slots)};
  rec.dispatch("scatter_rows", {y, x, index}, args,
               groups_for_elements(count32("scatter_rows", x.shape.elements())));
}

}  // namespace walsh

#include "ops/gather_columns.h"

#include "shaders/gather_columns.h"

namespace walsh {

void gather_columns(Recorder& rec, const Tensor& y, const Tensor& x, const Tensor& order, bool accumulate) {
  const std::uint64_t rows = x.shape.rows(), columns = x.shape.back();
  expect("gather_columns", "x", x, DType::f32, x.shape);
  require(y.shape.rows() == rows && y.shape.back() == columns, "gather_columns: y has shape {}, expected {}",
          y.shape.text(), x.shape.text());
  expect("gather_columns", "y", y, DType::f32, y.shape);
  expect("gather_columns", "order", order, DType::u32, {columns});
  const GatherColumnsArgs args{count32("gather_columns", x.shape.elements()),
                               static_cast<std::uint32_t>(columns), accumulate};
  rec.dispatch("gather_columns", {y, x, order}, args, groups_for_elements(x.shape.elements(), 64));
}

}  // namespace walsh

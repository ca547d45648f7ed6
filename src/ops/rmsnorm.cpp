#include "ops/rmsnorm.h"

#include "ops/texels.h"
#include "shaders/rmsnorm.h"

namespace walsh {
namespace {

RmsnormArgs arguments(const Tensor& x, std::uint32_t floats_a_value, float epsilon = 0) {
  count32("rmsnorm", x.shape.elements());
  const auto width = static_cast<std::uint32_t>(x.shape.back());
  return {static_cast<std::uint32_t>(x.shape.rows()), width, width / floats_a_value, epsilon};
}

// A row a workgroup, or from texels a row an invocation: shaders/lib/row_of_values.glsl.
Groups groups_for(const Values& values, const Tensor& x) {
  return groups_for_rows(values.texels() ? ceil_div(x.shape.rows(), 8) : x.shape.rows());
}

}  // namespace

void rmsnorm_forward(Recorder& rec, const Tensor& y, const Tensor& rstd, const Tensor& x,
                     const Tensor& weight, float epsilon, const Tensor& addend, const Tensor& sum) {
  expect("rmsnorm_forward", "y", y, DType::f32, x.shape);
  expect("rmsnorm_forward", "rstd", rstd, DType::f32, {x.shape.rows()});
  expect("rmsnorm_forward", "x", x, DType::f32, x.shape);
  expect("rmsnorm_forward", "weight", weight, DType::f32, {x.shape.back()});
  const bool add = static_cast<bool>(addend);
  if (add) {
    expect("rmsnorm_forward", "addend", addend, DType::f32, x.shape);
    expect("rmsnorm_forward", "sum", sum, DType::f32, x.shape);
  }
  const Values values = choose_values(rec, "rmsnorm_forward", x.shape.back(), {x, weight, add ? addend : x});
  rec.dispatch(values.kernel, {y, rstd, x, weight, add ? addend : x, add ? sum : y},
               arguments(x, values.floats, epsilon), groups_for(values, x), {add});
}

void rmsnorm_backward(Recorder& rec, const Tensor& dx, const Tensor& dy, const Tensor& x, const Tensor& rstd,
                      const Tensor& weight, bool accumulate) {
  expect("rmsnorm_backward", "dx", dx, DType::f32, x.shape);
  expect("rmsnorm_backward", "dy", dy, DType::f32, x.shape);
  expect("rmsnorm_backward", "x", x, DType::f32, x.shape);
  expect("rmsnorm_backward", "rstd", rstd, DType::f32, {x.shape.rows()});
  expect("rmsnorm_backward", "weight", weight, DType::f32, {x.shape.back()});
  const Values values = choose_values(rec, "rmsnorm_backward", x.shape.back(), {dy, x, weight, dx});
  rec.dispatch(values.kernel, {dx, dy, x, rstd, weight, accumulate ? dx : x}, arguments(x, values.floats),
               groups_for(values, x), {accumulate});
}

void rmsnorm_backward_weight(Recorder& rec, const Tensor& dweight, const Tensor& dy, const Tensor& x,
                             const Tensor& rstd) {
  expect("rmsnorm_backward_weight", "dweight", dweight, DType::f32, {x.shape.back()});
  expect("rmsnorm_backward_weight", "dy", dy, DType::f32, x.shape);
  expect("rmsnorm_backward_weight", "x", x, DType::f32, x.shape);
  expect("rmsnorm_backward_weight", "rstd", rstd, DType::f32, {x.shape.rows()});
  rec.dispatch("rmsnorm_backward_weight", {dweight, dy, x, rstd}, arguments(x, 1),
               groups_for_elements(x.shape.back(), 64));
}

}  // namespace walsh

#include "ops/rmsnorm.h"

#include "shaders/rmsnorm.h"

namespace walsh {
namespace {

RmsnormArgs arguments(const Tensor& x, float epsilon = 0) {
  count32("rmsnorm", x.shape.elements());
  return {static_cast<std::uint32_t>(x.shape.rows()), static_cast<std::uint32_t>(x.shape.back()), epsilon};
}

}  // namespace

void rmsnorm_forward(Recorder& rec, const Tensor& y, const Tensor& rstd, const Tensor& x,
                     const Tensor& weight, float epsilon) {
  expect("rmsnorm_forward", "y", y, DType::f32, x.shape);
  expect("rmsnorm_forward", "rstd", rstd, DType::f32, {x.shape.rows()});
  expect("rmsnorm_forward", "x", x, DType::f32, x.shape);
  expect("rmsnorm_forward", "weight", weight, DType::f32, {x.shape.back()});
  rec.dispatch("rmsnorm_forward", {y, rstd, x, weight}, arguments(x, epsilon),
               groups_for_rows(x.shape.rows()));
}

void rmsnorm_backward(Recorder& rec, const Tensor& dx, const Tensor& dy, const Tensor& x, const Tensor& rstd,
                      const Tensor& weight) {
  expect("rmsnorm_backward", "dx", dx, DType::f32, x.shape);
  expect("rmsnorm_backward", "dy", dy, DType::f32, x.shape);
  expect("rmsnorm_backward", "x", x, DType::f32, x.shape);
  expect("rmsnorm_backward", "rstd", rstd, DType::f32, {x.shape.rows()});
  expect("rmsnorm_backward", "weight", weight, DType::f32, {x.shape.back()});
  rec.dispatch("rmsnorm_backward", {dx, dy, x, rstd, weight}, arguments(x), groups_for_rows(x.shape.rows()));
}

void rmsnorm_backward_weight(Recorder& rec, const Tensor& dweight, const Tensor& dy, const Tensor& x,
                             const Tensor& rstd) {
  expect("rmsnorm_backward_weight", "dweight", dweight, DType::f32, {x.shape.back()});
  expect("rmsnorm_backward_weight", "dy", dy, DType::f32, x.shape);
  expect("rmsnorm_backward_weight", "x", x, DType::f32, x.shape);
  expect("rmsnorm_backward_weight", "rstd", rstd, DType::f32, {x.shape.rows()});
  rec.dispatch("rmsnorm_backward_weight", {dweight, dy, x, rstd}, arguments(x),
               groups_for_elements(x.shape.back(), 64));
}

}  // namespace walsh

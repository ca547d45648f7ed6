#include "ops/add.h"

#include "shaders/add.h"

namespace walsh {

void add(Recorder& rec, const Tensor& y, const Tensor& a, const Tensor& b) {
  expect("add", "y", y, DType::f32, a.shape);
  expect("add", "a", a, DType::f32, a.shape);
  expect("add", "b", b, DType::f32, a.shape);
  const AddArgs args{count32("add", a.shape.elements())};
  rec.dispatch("add", {y, a, b}, args, groups_for_elements(args.elements));
}

}  // namespace walsh

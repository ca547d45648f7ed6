#include "ops/add.h"

#include "ops/texels.h"
#include "shaders/add.h"

namespace walsh {

void add(Recorder& rec, const Tensor& y, const Tensor& a, const Tensor& b) {
  expect("add", "y", y, DType::f32, a.shape);
  expect("add", "a", a, DType::f32, a.shape);
  expect("add", "b", b, DType::f32, a.shape);
  const std::uint32_t elements = count32("add", a.shape.elements());
  const Values values = choose_values(rec, "add", elements, {a, b});
  const AddArgs args{elements / values.floats};
  rec.dispatch(values.kernel, {y, a, b}, args, groups_for_elements(args.values));
}

}  // namespace walsh

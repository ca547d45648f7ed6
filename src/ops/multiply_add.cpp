#include "ops/multiply_add.h"

#include "shaders/multiply_add.h"

namespace walsh {

void multiply_add(Recorder& rec, const Tensor& y, std::uint32_t rounds, float x) {
  expect("multiply_add", "y", y, DType::f32, y.shape);
  const MultiplyAddArgs args{count32("multiply_add", y.shape.elements()), rounds, x};
  rec.dispatch("multiply_add", {y}, args, groups_for_elements(args.elements));
}

}  // namespace walsh

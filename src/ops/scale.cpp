#include "ops/scale.h"

#include "shaders/scale.h"

namespace walsh {

void scale(Recorder& rec, const Tensor& y, const Tensor& x, float factor) {
  expect("scale", "y", y, DType::f32, x.shape);
  expect("scale", "x", x, DType::f32, x.shape);
  const ScaleArgs args{count32("scale", x.shape.elements()), factor};
  rec.dispatch("scale", {y, x}, args, groups_for_elements(args.elements));
}

}  // namespace walsh

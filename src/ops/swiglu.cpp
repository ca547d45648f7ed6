#include "ops/swiglu.h"

#include "ops/texels.h"
#include "shaders/swiglu.h"

namespace walsh {

void swiglu_forward(Recorder& rec, const Tensor& y, const Tensor& gate, const Tensor& up) {
  expect("swiglu_forward", "y", y, DType::f32, gate.shape);
  expect("swiglu_forward", "gate", gate, DType::f32, gate.shape);
  expect("swiglu_forward", "up", up, DType::f32, gate.shape);
  const std::uint32_t elements = count32("swiglu_forward", gate.shape.elements());
  const Values values = choose_values(rec, "swiglu_forward", elements, {gate, up});
  const SwigluArgs args{elements / values.floats};
  rec.dispatch(values.kernel, {y, gate, up}, args, groups_for_elements(args.values));
}

void swiglu_backward(Recorder& rec, const Tensor& dgate, const Tensor& dup, const Tensor& dy,
                     const Tensor& gate, const Tensor& up) {
  expect("swiglu_backward", "dgate", dgate, DType::f32, gate.shape);
  expect("swiglu_backward", "dup", dup, DType::f32, gate.shape);
  expect("swiglu_backward", "dy", dy, DType::f32, gate.shape);
  expect("swiglu_backward", "gate", gate, DType::f32, gate.shape);
  expect("swiglu_backward", "up", up, DType::f32, gate.shape);
  const std::uint32_t elements = count32("swiglu_backward", gate.shape.elements());
  const Values values = choose_values(rec, "swiglu_backward", elements, {dy, gate, up});
  const SwigluArgs args{elements / values.floats};
  rec.dispatch(values.kernel, {dgate, dup, dy, gate, up}, args, groups_for_elements(args.values));
}

}  // namespace walsh

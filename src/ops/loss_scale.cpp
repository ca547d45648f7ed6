#include "ops/loss_scale.h"

#include "shaders/loss_scale.h"

namespace walsh {

void loss_scale_apply(Recorder& rec, const Tensor& scaled, const Tensor& factor, const Tensor& state) {
  const char* op = "loss_scale_apply";
  expect(op, "scaled", scaled, DType::f32, {1});
  expect(op, "factor", factor, DType::f32, {1});
  expect(op, "state", state, DType::f32, {2});
  const vk::Slice buffers[] = {scaled, factor, state};
  rec.dispatch(op, buffers, nullptr, 0, {1, 1, 1}, {});
}

void loss_scale_update(Recorder& rec, const Tensor& norm, const Tensor& state,
                       const LossScaleOptions& options) {
  const char* op = "loss_scale_update";
  require(options.growth_interval >= 1 && options.largest >= 1,
          "{}: growth_interval {} and largest {}, expected at least 1", op, options.growth_interval,
          options.largest);
  expect(op, "norm", norm, DType::f32, {2});
  expect(op, "state", state, DType::f32, {2});
  const LossScaleUpdateArgs args{options.max_norm, options.growth_interval, options.largest};
  rec.dispatch(op, {norm, state}, args, {1, 1, 1});
}

}  // namespace walsh

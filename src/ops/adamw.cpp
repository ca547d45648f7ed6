#include "ops/adamw.h"

#include "shaders/adamw.h"

namespace walsh {

namespace {

AdamwArgs arguments(std::string_view op, std::uint64_t elements, const AdamwOptions& options,
                    float rate_scale, std::uint32_t key) {
  require(options.beta1 >= 0 && options.beta1 < 1, "{}: beta1 is {}, expected 0 <= beta1 < 1", op,
          options.beta1);
  require(options.beta2 >= 0 && options.beta2 < 1, "{}: beta2 is {}, expected 0 <= beta2 < 1", op,
          options.beta2);
  require(static_cast<float>(options.epsilon) > 0, "{}: epsilon is {}, expected more than 0", op,
          options.epsilon);
  return {.elements = count32(op, elements),
          .beta1 = static_cast<float>(options.beta1),
          .one_minus_beta1 = static_cast<float>(1 - options.beta1),
          .beta2 = static_cast<float>(options.beta2),
          .one_minus_beta2 = static_cast<float>(1 - options.beta2),
          .epsilon = static_cast<float>(options.epsilon),
          .weight_decay = static_cast<float>(options.weight_decay),
          .rate_scale = rate_scale,
          .key = key};
}

}  // namespace

void adamw(Recorder& rec, const Tensor& parameter, const Tensor& gradient, const Tensor& m, const Tensor& v,
           const Tensor& step, const Tensor& norm, const AdamwOptions& options, float rate_scale) {
  const char* op = "adamw";
  const AdamwArgs args = arguments(op, parameter.shape.elements(), options, rate_scale, 0);
  expect(op, "parameter", parameter, DType::f32, parameter.shape);
  expect(op, "gradient", gradient, DType::f32, parameter.shape);
  expect(op, "m", m, DType::f32, parameter.shape);
  expect(op, "v", v, DType::f32, parameter.shape);
  expect(op, "step", step, DType::f32, {4});
  expect(op, "norm", norm, DType::f32, {2});
  rec.dispatch("adamw", {parameter, gradient, m, v, step, norm}, args, groups_for_elements(args.elements));
}

void adamw8(Recorder& rec, const Tensor& parameter, const Tensor& gradient, const Moments8& moments,
            const Tensor& step, const Tensor& norm, const AdamwOptions& options, std::uint32_t key,
            float rate_scale) {
  const char* op = "adamw8";
  const AdamwArgs args = arguments(op, parameter.shape.elements(), options, rate_scale, key);
  const std::uint64_t blocks = (parameter.shape.elements() + Moments8::block - 1) / Moments8::block;
  const Shape codes{blocks, Moments8::block / 4};
  expect(op, "parameter", parameter, DType::f32, parameter.shape);
  expect(op, "gradient", gradient, DType::f32, parameter.shape);
  expect(op, "m", moments.m, DType::u32, codes);
  expect(op, "v", moments.v, DType::u32, codes);
  expect(op, "largest", moments.largest, DType::f32, {blocks, 2});
  expect(op, "step", step, DType::f32, {4});
  expect(op, "norm", norm, DType::f32, {2});
  rec.dispatch("adamw_moments8", {parameter, gradient, moments.m, moments.v, moments.largest, step, norm},
               args, groups_for_rows(blocks));
}

}  // namespace walsh

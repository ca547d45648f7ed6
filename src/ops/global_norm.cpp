#include "ops/global_norm.h"

#include "shaders/global_norm.h"

namespace walsh {
namespace {

constexpr std::uint64_t run = 65536;  // elements a workgroup sums: global_norm_partial.comp

// A range's partial sums fill whole slices of an arena, so that each range's dispatch can bind its own and
// needs no barrier before the next.
constexpr std::uint64_t slice = vk::Arena::alignment / sizeof(float);

std::uint64_t partials_of(const Tensor& gradient) {
  return (gradient.shape.elements() + run * slice - 1) / (run * slice) * slice;
}

}  // namespace

std::uint64_t global_norm_scratch(std::span<const Tensor> gradients) {
  std::uint64_t elements = 0;
  for (const Tensor& gradient : gradients) elements += partials_of(gradient);
  return elements;
}

void global_norm(Recorder& rec, const Tensor& norm, std::span<const Tensor> gradients, const Tensor& scratch,
                 float max_norm) {
  const char* op = "global_norm";
  const std::uint64_t partials = global_norm_scratch(gradients);
  require(!gradients.empty(), "{}: no gradients", op);
  require(max_norm >= 0, "{}: max_norm is {}, expected 0 (no clipping) or more", op, max_norm);
  expect(op, "norm", norm, DType::f32, {2});
  expect(op, "scratch", scratch, DType::f32, {scratch.shape.elements()});
  require(scratch.shape.elements() >= partials, "{}: scratch has {} elements, expected at least {}", op,
          scratch.shape.elements(), partials);
  std::uint64_t first = 0;
  for (const Tensor& gradient : gradients) {
    expect(op, "a gradient", gradient, DType::f32, gradient.shape);
    const GlobalNormPartialArgs args{count32(op, gradient.shape.elements()),
                                     count32(op, partials_of(gradient))};
    rec.dispatch("global_norm_partial", {scratch.rows(first, args.partials), gradient}, args,
                 groups_for_rows(args.partials));
    first += args.partials;
  }
  const GlobalNormFinishArgs args{count32(op, partials), max_norm};
  rec.dispatch("global_norm_finish", {norm, scratch}, args, {1, 1, 1});
}

}  // namespace walsh

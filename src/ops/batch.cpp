#include "ops/batch.h"

#include "shaders/batch.h"

namespace walsh {
namespace {

RingArgs ring_arguments(std::string_view op, const Tensor& ring, const Tensor& counter,
                        const Tensor& values) {
  require(ring.shape.rank() == 2 && size_of(ring.dtype) == 4,
          "{}: ring is {} {}, expected 4-byte elements [slots, words]", op, name_of(ring.dtype),
          ring.shape.text());
  expect(op, "ring", ring, ring.dtype, ring.shape);
  expect(op, "counter", counter, DType::u32, {1});
  require(size_of(values.dtype) == 4, "{}: values is {}, expected 4-byte elements", op,
          name_of(values.dtype));
  expect(op, "values", values, values.dtype, {ring.shape[1]});
  count32(op, ring.shape.elements());
  return {static_cast<std::uint32_t>(ring.shape[0]), static_cast<std::uint32_t>(ring.shape[1])};
}

}  // namespace

void ring_read(Recorder& rec, const Tensor& values, const Tensor& ring, const Tensor& counter) {
  const RingArgs args = ring_arguments("ring_read", ring, counter, values);
  rec.dispatch("batch_ring_read", {values, ring, counter}, args, groups_for_elements(args.words));
}

void ring_write(Recorder& rec, const Tensor& ring, const Tensor& counter, const Tensor& values) {
  const RingArgs args = ring_arguments("ring_write", ring, counter, values);
  rec.dispatch("batch_ring_write", {ring, counter, values}, args, groups_for_elements(args.words));
}

void ring_advance(Recorder& rec, const Tensor& counter) {
  expect("ring_advance", "counter", counter, DType::u32, {1});
  const vk::Slice buffers[] = {counter};
  rec.dispatch("batch_ring_advance", buffers, nullptr, 0, {1, 1, 1}, {});
}

void sum(Recorder& rec, const Tensor& total, const Tensor& values, bool accumulate) {
  expect("sum", "total", total, DType::f32, {1});
  expect("sum", "values", values, DType::f32, {values.shape.elements()});
  const SumArgs args{count32("sum", values.shape.elements()), accumulate ? 1u : 0u};
  rec.dispatch("batch_sum", {total, values}, args, {1, 1, 1});
}

}  // namespace walsh

#include "ops/embedding.h"

#include <cmath>

#include "base/half.h"
#include "kernel_case.h"
#include "ops/embedding_reference.h"

namespace walsh {
namespace {

std::vector<std::uint32_t> tokens(std::uint64_t count, std::uint64_t vocabulary) {
  std::vector<std::uint32_t> ids(count);
  for (std::uint64_t t = 0; t < count; ++t)
    ids[t] = static_cast<std::uint32_t>(t * t * 7919 % vocabulary);  // squares: some ids come again
  return ids;
}

KernelCase forward(TensorStore& store, std::uint64_t count, std::uint64_t vocabulary, std::uint64_t width,
                   DType type = DType::f32) {
  const auto ids = tokens(count, vocabulary);
  auto w = normal(vocabulary * width, 1);
  const Tensor y = store.empty({count, width}), tids = store.u32({count}, ids);
  const Tensor tw =
      type == DType::f32 ? store.f32({vocabulary, width}, w) : store.half(type, {vocabulary, width}, w);
  for (float& value : w) {
    if (type == DType::f16) value = f16_to_float(float_to_f16(value));
    if (type == DType::bf16) value = bf16_to_float(float_to_bf16(value));
  }
  return {.op = "embedding",
          .variant = fmt::format("forward, {}", name_of(type)),
          .shape = fmt::format("{} of {} x {}", count, vocabulary, width),
          .bytes = static_cast<double>(4 + size_of(type)) * static_cast<double>(count * width),
          .operations = 0,
          .record = [=](Recorder& rec) { embedding_forward(rec, y, tids, tw); },
          .compare =
              [=, &store] {
                std::vector<double> expected, magnitude;
                reference::embedding_forward<double>(expected, ids, {w.begin(), w.end()}, width);
                for (const double value : expected) magnitude.push_back(std::abs(value));
                return Comparison{store.read(y), expected, magnitude, 1};
              }};
}

KernelCase backward(TensorStore& store, std::uint64_t count, std::uint64_t vocabulary, std::uint64_t width) {
  const auto ids = tokens(count, vocabulary);
  const auto dy = normal(count * width, 2);
  const Tensor dw = store.zeros({vocabulary, width}), tids = store.u32({count}, ids),
               tdy = store.f32({count, width}, dy);
  const auto elements = static_cast<double>(count * width);
  return {.op = "embedding",
          .variant = "backward",
          .shape = fmt::format("{} of {} x {}", count, vocabulary, width),
          .bytes = 12 * elements,
          .operations = elements,
          .record =
              [=](Recorder& rec) {
                rec.clear(dw);
                embedding_backward(rec, dw, tdy, tids);
              },
          .compare =
              [=, &store] {
                std::vector<double> expected(vocabulary * width, 0), magnitude(vocabulary * width, 0), dys;
                for (const float value : dy) dys.push_back(value);
                reference::embedding_backward(expected, dys, ids, width);
                for (double& value : dys) value = std::abs(value);
                reference::embedding_backward(magnitude, dys, ids, width);
                return Comparison{store.read(dw), expected, magnitude, static_cast<double>(count)};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  if (size == CaseSize::check) {
    return {forward(store, 300, 97, 33), forward(store, 300, 97, 33, DType::f16),
            forward(store, 300, 97, 33, DType::bf16), backward(store, 300, 97, 33)};
  }
  return {forward(store, 2048, 8192, 2048), backward(store, 2048, 8192, 2048)};
}

const CaseRegistration registration("embedding", cases);

}  // namespace
}  // namespace walsh

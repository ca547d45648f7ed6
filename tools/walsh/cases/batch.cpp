#include "ops/batch.h"

#include <cmath>

#include "kernel_case.h"

namespace walsh {
namespace {

KernelCase ring(TensorStore& store, std::uint64_t slots, std::uint64_t words) {
  const auto filled = normal(slots * words, 1);
  const Tensor tring = store.f32({slots, words}, filled), values = store.empty({words}),
               counter = store.u32({1}, {static_cast<std::uint32_t>(slots + 1)});
  return {.op = "batch",
          .variant = "ring_read",
          .shape = fmt::format("{} x {}", slots, words),
          .bytes = 8 * static_cast<double>(words),
          .operations = 0,
          .record = [=](Recorder& rec) { ring_read(rec, values, tring, counter); },
          .compare =
              [=, &store] {
                std::vector<double> expected, magnitude;
                for (std::uint64_t i = words; i < 2 * words; ++i) {
                  expected.push_back(filled[i]);
                  magnitude.push_back(std::abs(filled[i]));
                }
                return Comparison{store.read(values), expected, magnitude, 1};
              }};
}

KernelCase total(TensorStore& store, std::uint64_t n) {
  const auto values = normal(n, 2);
  const Tensor result = store.empty({1}), tvalues = store.f32({n}, values);
  return {.op = "batch",
          .variant = "sum",
          .shape = fmt::format("{}", n),
          .bytes = 4 * static_cast<double>(n),
          .operations = static_cast<double>(n),
          .record = [=](Recorder& rec) { sum(rec, result, tvalues, false); },
          .compare =
              [=, &store] {
                double expected = 0, magnitude = 0;
                for (const float value : values) {
                  expected += value;
                  magnitude += std::abs(value);
                }
                return Comparison{store.read(result), {expected}, {magnitude}, static_cast<double>(n)};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  if (size == CaseSize::check) return {ring(store, 3, 300), total(store, 1031)};
  return {ring(store, 8, 16384), total(store, 8192)};
}

const CaseRegistration registration("batch", cases);

}  // namespace
}  // namespace walsh

#include "ops/batch.h"

#include <algorithm>
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

// A full ring is written once more, where the counter says; then the counter moves on.
KernelCase write(TensorStore& store, std::uint64_t slots, std::uint64_t words) {
  const auto filled = normal(slots * words, 1), values = normal(words, 2);
  const auto before = static_cast<std::uint32_t>(slots + 1);
  const Tensor tring = store.empty({slots, words}), start = store.f32({slots, words}, filled),
               tvalues = store.f32({words}, values), counter = store.empty({1}),
               count = store.u32({1}, {before});
  const Tensor words_of_counter{counter.memory, DType::u32, {1}};
  return {.op = "batch",
          .variant = "ring_write, ring_advance",
          .shape = fmt::format("{} x {}", slots, words),
          .bytes = 8 * static_cast<double>(words),
          .operations = 0,
          .record =
              [=](Recorder& rec) {
                rec.copy(tring, start);
                rec.copy(counter, count);
                ring_write(rec, tring, words_of_counter, tvalues);
                ring_advance(rec, words_of_counter);
              },
          .compare =
              [=, &store] {
                std::vector<double> expected(filled.begin(), filled.end()), magnitude;
                std::copy(values.begin(), values.end(),
                          expected.begin() + static_cast<std::ptrdiff_t>(words));
                std::vector<float> got = store.read(tring);
                got.push_back(static_cast<float>(store.device().download<std::uint32_t>(counter)[0]));
                expected.push_back(before + 1);
                for (const double value : expected) magnitude.push_back(std::abs(value));
                return Comparison{got, expected, magnitude, 1};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  if (size == CaseSize::check) return {ring(store, 3, 300), write(store, 3, 300), total(store, 1031)};
  return {ring(store, 8, 16384), total(store, 8192)};
}

const CaseRegistration registration("batch", cases);

}  // namespace
}  // namespace walsh

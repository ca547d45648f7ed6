#include "ops/scale.h"

#include <cmath>

#include "kernel_case.h"

namespace walsh {
namespace {

KernelCase multiple(TensorStore& store, std::uint64_t rows, std::uint64_t width) {
  const auto x = normal(rows * width, 1);
  const Tensor y = store.empty({rows, width}), tx = store.f32({rows, width}, x);
  const auto elements = static_cast<double>(rows * width);
  return {.op = "scale",
          .variant = "y = factor x",
          .shape = fmt::format("{} x {}", rows, width),
          .bytes = 8 * elements,
          .operations = elements,
          .record = [=](Recorder& rec) { scale(rec, y, tx, 0.37f); },
          .compare =
              [=, &store] {
                std::vector<double> expected, magnitude;
                for (const float value : x) {
                  expected.push_back(double{0.37f} * value);
                  magnitude.push_back(std::abs(expected.back()));
                }
                return Comparison{store.read(y), expected, magnitude, 1};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  if (size == CaseSize::check) return {multiple(store, 7, 257)};
  return {multiple(store, 2048, 64)};
}

const CaseRegistration registration("scale", cases);

}  // namespace
}  // namespace walsh

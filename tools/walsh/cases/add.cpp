#include "ops/add.h"

#include <cmath>

#include "kernel_case.h"

namespace walsh {
namespace {

KernelCase sum(TensorStore& store, std::uint64_t rows, std::uint64_t width) {
  const auto a = normal(rows * width, 1), b = normal(rows * width, 2);
  const Shape shape{rows, width};
  const Tensor y = store.empty(shape), ta = store.f32(shape, a), tb = store.f32(shape, b);
  const auto elements = static_cast<double>(rows * width);
  return {.op = "add",
          .variant = "y = a + b",
          .shape = fmt::format("{} x {}", rows, width),
          .bytes = 12 * elements,
          .operations = elements,
          .record = [=](Recorder& rec) { add(rec, y, ta, tb); },
          .compare =
              [=, &store] {
                std::vector<double> expected, magnitude;
                for (std::size_t i = 0; i < a.size(); ++i) {
                  expected.push_back(double{a[i]} + b[i]);
                  magnitude.push_back(std::abs(expected[i]));
                }
                return Comparison{store.read(y), expected, magnitude, 1};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  if (size == CaseSize::check) return {sum(store, 7, 257)};
  return {sum(store, 2048, 4096)};
}

const CaseRegistration registration("add", cases);

}  // namespace
}  // namespace walsh

#include "ops/swiglu.h"

#include <cmath>

#include "kernel_case.h"
#include "ops/swiglu_reference.h"

namespace walsh {
namespace {

// Relative error that Vulkan grants the kernels: exp(g) may be off by 3 + 2|g| units in the last place.
double relative_error(double g) { return 1 + 2 * (3 + 2 * std::abs(g)); }

KernelCase forward(TensorStore& store, std::uint64_t rows, std::uint64_t width) {
  const auto gate = normal(rows * width, 1), up = normal(rows * width, 2);
  const Shape shape{rows, width};
  const Tensor y = store.empty(shape), tgate = store.f32(shape, gate), tup = store.f32(shape, up);
  const auto elements = static_cast<double>(rows * width);
  return {
      .op = "swiglu",
      .variant = "forward",
      .shape = fmt::format("{} x {}", rows, width),
      .bytes = 12 * elements,
      .operations = 5 * elements,
      .record = [=](Recorder& rec) { swiglu_forward(rec, y, tgate, tup); },
      .compare =
          [=, &store] {
            std::vector<double> expected, magnitude;
            reference::swiglu_forward<double>(expected, {gate.begin(), gate.end()}, {up.begin(), up.end()});
            for (std::size_t i = 0; i < expected.size(); ++i)
              magnitude.push_back(std::abs(expected[i]) * relative_error(gate[i]));
            return Comparison{store.read(y), expected, magnitude, 1};
          }};
}

KernelCase backward(TensorStore& store, std::uint64_t rows, std::uint64_t width) {
  const auto gate = normal(rows * width, 1), up = normal(rows * width, 2), dy = normal(rows * width, 3);
  const Shape shape{rows, width};
  const Tensor dgate = store.empty(shape), dup = store.empty(shape), tdy = store.f32(shape, dy),
               tgate = store.f32(shape, gate), tup = store.f32(shape, up);
  const auto elements = static_cast<double>(rows * width);
  return {.op = "swiglu",
          .variant = "backward",
          .shape = fmt::format("{} x {}", rows, width),
          .bytes = 20 * elements,
          .operations = 11 * elements,
          .record = [=](Recorder& rec) { swiglu_backward(rec, dgate, dup, tdy, tgate, tup); },
          .compare =
              [=, &store] {
                std::vector<double> expected, expected_dup, magnitude;
                reference::swiglu_backward<double>(expected, expected_dup, {dy.begin(), dy.end()},
                                                   {gate.begin(), gate.end()}, {up.begin(), up.end()});
                for (std::size_t i = 0; i < expected.size(); ++i)
                  magnitude.push_back(std::abs(dy[i] * up[i]) * (1 + std::abs(gate[i])) *
                                      relative_error(gate[i]));
                return Comparison{store.read(dgate), expected, magnitude, 1};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  if (size == CaseSize::check) return {forward(store, 7, 257), backward(store, 7, 257)};
  return {forward(store, 2048, 4096), backward(store, 2048, 4096)};
}

const CaseRegistration registration("swiglu", cases);

}  // namespace
}  // namespace walsh

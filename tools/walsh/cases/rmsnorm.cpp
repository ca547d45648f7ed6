#include "ops/rmsnorm.h"

#include <cmath>

#include "kernel_case.h"
#include "ops/rmsnorm_reference.h"

namespace walsh {
namespace {

KernelCase forward(TensorStore& store, std::uint64_t rows, std::uint64_t width) {
  const auto x = normal(rows * width, 1), weight = normal(width, 2);
  const Tensor y = store.empty({rows, width}), rstd = store.empty({rows});
  const Tensor tx = store.f32({rows, width}, x), tweight = store.f32({width}, weight);
  const auto elements = static_cast<double>(rows * width);
  return {.op = "rmsnorm",
          .variant = "forward",
          .shape = fmt::format("{} x {}", rows, width),
          .bytes = 8 * elements,
          .operations = 4 * elements,
          .record = [=](Recorder& rec) { rmsnorm_forward(rec, y, rstd, tx, tweight, 1e-5f); },
          .compare =
              [=, &store] {
                std::vector<double> expected, expected_rstd, magnitude;
                reference::rmsnorm_forward<double>(expected, expected_rstd, {x.begin(), x.end()},
                                                   {weight.begin(), weight.end()}, 1e-5);
                for (const double value : expected) magnitude.push_back(std::abs(value));
                return Comparison{store.read(y), expected, magnitude, static_cast<double>(width)};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  if (size == CaseSize::check) return {forward(store, 3, 172), forward(store, 130, 576)};
  return {forward(store, 2048, 4096)};
}

const CaseRegistration registration("rmsnorm", cases);

}  // namespace
}  // namespace walsh

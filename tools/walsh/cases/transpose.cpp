#include "ops/transpose.h"

#include <cmath>

#include "kernel_case.h"
#include "ops/transpose_reference.h"

namespace walsh {
namespace {

KernelCase transposed(TensorStore& store, std::uint64_t rows, std::uint64_t columns) {
  const auto x = normal(rows * columns, 1);
  const Tensor y = store.empty({columns, rows}), tx = store.f32({rows, columns}, x);
  return {.op = "transpose",
          .variant = "f32",
          .shape = fmt::format("{} x {}", rows, columns),
          .bytes = 8 * static_cast<double>(rows * columns),
          .operations = 0,
          .record = [=](Recorder& rec) { transpose(rec, y, tx); },
          .compare =
              [=, &store] {
                const auto moved = reference::transpose(x, rows);
                std::vector<double> expected(moved.begin(), moved.end()), magnitude;
                for (const double value : expected) magnitude.push_back(std::abs(value));
                return Comparison{store.read(y), expected, magnitude, 1};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  if (size == CaseSize::check) return {transposed(store, 37, 95), transposed(store, 130, 576)};
  return {transposed(store, 2048, 4096)};
}

const CaseRegistration registration("transpose", cases);

}  // namespace
}  // namespace walsh

#include "ops/gather_columns.h"

#include <cmath>

#include "kernel_case.h"
#include "ops/gather_columns_reference.h"

namespace walsh {
namespace {

KernelCase gathered(TensorStore& store, std::uint64_t rows, std::uint32_t columns) {
  const auto x = normal(rows * columns, 1);
  std::vector<std::uint32_t> order(columns);
  for (std::uint32_t j = 0; j < columns; ++j) order[j] = columns - 1 - j;
  const Tensor y = store.empty({rows, columns}), tx = store.f32({rows, columns}, x),
               torder = store.u32({columns}, order);
  return {.op = "gather_columns",
          .variant = "f32",
          .shape = fmt::format("{} x {}", rows, columns),
          .bytes = 8 * static_cast<double>(rows * columns),
          .operations = 0,
          .record = [=](Recorder& rec) { gather_columns(rec, y, tx, torder); },
          .compare =
              [=, &store] {
                const auto moved = reference::gather_columns(x, order);
                std::vector<double> expected(moved.begin(), moved.end()), magnitude;
                for (const double value : expected) magnitude.push_back(std::abs(value));
                return Comparison{store.read(y), expected, magnitude, 1};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  if (size == CaseSize::check) return {gathered(store, 37, 95), gathered(store, 130, 576)};
  return {gathered(store, 2048, 4096)};
}

const CaseRegistration registration("gather_columns", cases);

}  // namespace
}  // namespace walsh

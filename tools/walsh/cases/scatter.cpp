#include "ops/scatter.h"

#include <cmath>

#include "kernel_case.h"

namespace walsh {
namespace {

// Every other row of a cache is written; the rest stays.
KernelCase make(TensorStore& store, std::uint64_t rows, std::uint64_t width) {
  const auto past = normal(2 * rows * width, 1), fresh = normal(rows * width, 2);
  std::vector<std::uint32_t> index;
  for (std::uint32_t r = 0; r < rows; ++r) index.push_back(2 * r);
  const Tensor y = store.f32({2 * rows, width}, past), x = store.f32({rows, width}, fresh),
               tindex = store.u32({rows}, index);
  return {.op = "scatter",
          .variant = "rows",
          .shape = fmt::format("{} of {} x {}", rows, 2 * rows, width),
          .bytes = 8 * static_cast<double>(fresh.size()),
          .operations = 0,
          .record = [=](Recorder& rec) { scatter_rows(rec, y, x, tindex); },
          .compare =
              [=, &store] {
                std::vector<double> expected, magnitude;
                for (std::size_t i = 0; i < past.size(); ++i) {
                  const std::size_t row = i / width;
                  expected.push_back(row % 2 == 0 ? fresh[row / 2 * width + i % width] : past[i]);
                  magnitude.push_back(std::abs(expected.back()));
                }
                return Comparison{store.read(y), expected, magnitude, 1};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  if (size == CaseSize::check) return {make(store, 5, 300)};
  return {make(store, 512, 1024)};
}

const CaseRegistration registration("scatter", cases);

}  // namespace
}  // namespace walsh

#include "ops/peqa.h"

#include <cmath>
#include <memory>

#include "kernel_case.h"
#include "ops/quant_matmul_reference.h"

namespace walsh {
namespace {

struct Sizes {
  std::uint32_t rows, columns, bits, group_size;
};

QuantizedTensor place(TensorStore& store, const QuantizedMatrix& q) {
  return {.codes = store.u32({q.rows, words_per_row(q.columns, q.bits)}, q.codes),
          .grid = store.u32({q.rows, q.groups()}, q.grid),
          .rows = q.rows,
          .columns = q.columns,
          .bits = q.bits,
          .group_size = q.group_size};
}

// The part of the scales' gradient that is PEQA's own: a tile of the weight's gradient folded with the codes.
KernelCase folded(TensorStore& store, const Sizes& s) {
  const auto q = std::make_shared<const QuantizedMatrix>(
      reference::random_quantized(s.rows, s.columns, s.bits, s.group_size, 1));
  const QuantizedTensor w = place(store, *q);
  const auto g = normal(std::size_t{s.rows} * s.columns, 2);
  const Tensor tg = store.f32({s.rows, s.columns}, g), ds = store.zeros({s.rows, q->groups()});
  const auto elements = static_cast<double>(g.size());
  return {.op = "peqa",
          .variant = fmt::format("scale gradient, {} bits, group {}", s.bits, s.group_size),
          .shape = fmt::format("{} x {}", s.rows, s.columns),
          .bytes = elements * (4 + s.bits / 8.0),
          .operations = 3 * elements,
          .record = [=](Recorder& rec) { peqa_scale_group(rec, ds, {}, tg, w, 0); },
          .compare =
              [=, &store] {
                std::vector<double> expected(std::size_t{s.rows} * q->groups(), 0.0), magnitude = expected;
                for (std::uint32_t i = 0; i < s.rows; ++i) {
                  for (std::uint32_t j = 0; j < s.columns; ++j) {
                    const std::uint32_t k = j / s.group_size;
                    const double code = static_cast<double>(q->code(i, j)) - q->zero(i, k);
                    const double term = g[std::size_t{i} * s.columns + j] * code;
                    expected[std::size_t{i} * q->groups() + k] += term;
                    magnitude[std::size_t{i} * q->groups() + k] += std::abs(term);
                  }
                }
                return Comparison{store.read(ds), expected, magnitude, static_cast<double>(s.group_size)};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  std::vector<KernelCase> list;
  if (size == CaseSize::check) {
    for (const std::uint32_t bits : {2u, 3u, 4u, 8u}) list.push_back(folded(store, {33, 120, bits, 20}));
    return list;
  }
  list.push_back(folded(store, {256, 4096, 4, 64}));
  if (size == CaseSize::all) list.push_back(folded(store, {256, 4096, 2, 128}));
  return list;
}

const CaseRegistration registration("peqa", cases);

}  // namespace
}  // namespace walsh

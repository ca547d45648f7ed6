#include "ops/peqa.h"

#include <cmath>
#include <memory>

#include "base/half.h"
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

// The grid that new scales make: their fp16 values beside the old zeros.
KernelCase new_grid(TensorStore& store, const Sizes& s) {
  const QuantizedMatrix q = reference::random_quantized(s.rows, s.columns, s.bits, s.group_size, 1);
  const QuantizedTensor w = place(store, q);
  const auto scales = normal(q.grid.size(), 3);
  const Tensor ts = store.f32({s.rows, q.groups()}, scales);
  std::vector<double> expected;
  for (std::size_t i = 0; i < scales.size(); ++i) {
    expected.push_back(f16_to_float(float_to_f16(scales[i])));
    expected.push_back(q.grid[i] >> 16);
  }
  return {.op = "peqa",
          .variant = "grid",
          .shape = fmt::format("{} x {}", s.rows, q.groups()),
          .bytes = 12 * static_cast<double>(scales.size()),
          .operations = 0,
          .record = [=](Recorder& rec) { peqa_grid(rec, w, ts); },
          .compare =
              [=, &store] {
                std::vector<float> got;
                for (const std::uint32_t word : store.device().download<std::uint32_t>(w.grid)) {
                  got.push_back(f16_to_float(static_cast<std::uint16_t>(word)));
                  got.push_back(static_cast<float>(word >> 16));
                }
                std::vector<double> magnitude;
                for (const double value : expected) magnitude.push_back(std::abs(value));
                return Comparison{got, expected, magnitude, 1};
              }};
}

KernelCase by_channel(TensorStore& store, std::uint64_t tokens, std::uint64_t m) {
  const auto dy = normal(tokens * m, 1), u = normal(tokens * m, 2);
  const Tensor ds = store.zeros({m, 1}), tdy = store.f32({tokens, m}, dy), tu = store.f32({tokens, m}, u);
  const auto elements = static_cast<double>(dy.size());
  return {.op = "peqa",
          .variant = "scale gradient, per channel",
          .shape = fmt::format("{} x {}", tokens, m),
          .bytes = 8 * elements,
          .operations = 2 * elements,
          .record =
              [=](Recorder& rec) {
                rec.clear(ds);
                peqa_scale_channel(rec, ds, tdy, tu);
              },
          .compare =
              [=, &store] {
                std::vector<double> expected(m, 0.0), magnitude(m, 0.0);
                for (std::size_t i = 0; i < dy.size(); ++i) {
                  expected[i % m] += static_cast<double>(dy[i]) * u[i];
                  magnitude[i % m] += std::abs(static_cast<double>(dy[i]) * u[i]);
                }
                return Comparison{store.read(ds), expected, magnitude, static_cast<double>(tokens)};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  std::vector<KernelCase> list;
  if (size == CaseSize::check) {
    for (const std::uint32_t bits : {2u, 3u, 4u, 8u}) list.push_back(folded(store, {33, 120, bits, 20}));
    list.push_back(new_grid(store, {33, 120, 4, 20}));
    list.push_back(by_channel(store, 70, 33));
    return list;
  }
  list.push_back(folded(store, {256, 4096, 4, 64}));
  if (size == CaseSize::all) list.push_back(folded(store, {256, 4096, 2, 128}));
  return list;
}

const CaseRegistration registration("peqa", cases);

}  // namespace
}  // namespace walsh

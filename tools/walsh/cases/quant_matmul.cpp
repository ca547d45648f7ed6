#include "ops/quant_matmul.h"

#include <cmath>
#include <memory>

#include "kernel_case.h"
#include "ops/quant_matmul_reference.h"

namespace walsh {
namespace {

struct Sizes {
  std::uint64_t tokens;
  std::uint32_t n, m, bits, group_size;
};

QuantizedTensor place(TensorStore& store, const QuantizedMatrix& q) {
  return {.codes = store.u32({q.rows, words_per_row(q.columns, q.bits)}, q.codes),
          .grid = store.u32({q.rows, q.groups()}, q.grid),
          .rows = q.rows,
          .columns = q.columns,
          .bits = q.bits,
          .group_size = q.group_size};
}

std::vector<double> product(bool backward, std::vector<double> in, std::vector<double> w, const Sizes& size,
                            bool absolute) {
  if (absolute) {
    for (double& value : in) value = std::abs(value);
    for (double& value : w) value = std::abs(value);
  }
  std::vector<double> out, dw, dbias;
  if (backward) {
    const std::vector<double> x(size.tokens * size.n, 0);
    reference::matmul_backward(out, dw, dbias, in, x, w, size.m, size.n);
  } else {
    reference::matmul_forward(out, in, w, {}, size.m, size.n);
  }
  return out;
}

KernelCase make(TensorStore& store, bool backward, const Sizes& size) {
  const auto [tokens, n, m, bits, group_size] = size;
  const auto q =
      std::make_shared<const QuantizedMatrix>(reference::random_quantized(m, n, bits, group_size, 1));
  const QuantizedTensor tq = place(store, *q);
  const auto in = normal(tokens * (backward ? m : n), 2);
  const Tensor tin = store.f32({tokens, backward ? m : n}, in), out = store.empty({tokens, backward ? n : m});
  const std::uint64_t weight_bytes = 4 * (tq.codes.shape.elements() + tq.grid.shape.elements());
  return {
      .op = "quant_matmul",
      .variant = fmt::format("{}, {} bits, group {}", backward ? "backward" : "forward", bits, group_size),
      .shape = fmt::format("{} x {} x {}", tokens, n, m),
      .bytes = static_cast<double>(4 * tokens * (std::uint64_t{n} + m) + weight_bytes),
      .operations = 2.0 * static_cast<double>(tokens) * n * m,
      .products = true,
      .record =
          [=](Recorder& rec) {
            if (backward) {
              quant_matmul_backward(rec, out, tin, tq);
            } else {
              quant_matmul_forward(rec, out, tin, tq);
            }
          },
      .compare =
          [=, &store] {
            const std::vector<double> wide(in.begin(), in.end()), w = reference::dequantize<double>(*q);
            return Comparison{store.read(out), product(backward, wide, w, size, false),
                              product(backward, wide, w, size, true), static_cast<double>(tin.shape.back())};
          }};
}

// Three products, a half and two quarters of the rows of one matrix, in one dispatch; y and dy hold one part
// behind the other.
KernelCase in_parts(TensorStore& store, bool backward, const Sizes& size) {
  const auto [tokens, n, m, bits, group_size] = size;
  const auto q =
      std::make_shared<const QuantizedMatrix>(reference::random_quantized(m, n, bits, group_size, 1));
  const QuantizedTensor tq = place(store, *q);
  const auto outer = normal(tokens * m, 2), inner = normal(tokens * n, 3);
  const Tensor ty = store.f32({m, tokens}, outer), tx = store.f32({tokens, n}, inner);
  const std::vector<std::uint32_t> first{0, m / 2, m / 2 + m / 4, m};
  std::vector<QuantPart> parts;
  for (std::size_t i = 0; i + 1 < first.size(); ++i) {
    const std::uint32_t rows = first[i + 1] - first[i];
    QuantizedTensor part = tq;
    part.codes = tq.codes.rows(first[i], rows);
    part.grid = tq.grid.rows(first[i], rows);
    part.rows = rows;
    parts.push_back({ty.rows(first[i], rows).view({tokens, rows}), part, {}});
  }
  // Where y[t, row] lies in the memory of the parts.
  const auto place_of = [first](std::uint64_t t, std::uint32_t row, std::uint64_t all_tokens) {
    std::size_t i = 0;
    while (row >= first[i + 1]) ++i;
    return all_tokens * first[i] + t * (first[i + 1] - first[i]) + row - first[i];
  };
  return {.op = "quant_matmul",
          .variant = fmt::format("{}, 3 parts", backward ? "backward" : "forward"),
          .shape = fmt::format("{} x {} x {}", tokens, n, m),
          .bytes = static_cast<double>(
              4 * (tokens * (std::uint64_t{n} + m) + tq.codes.shape.elements() + tq.grid.shape.elements())),
          .operations = 2.0 * static_cast<double>(tokens) * n * m,
          .products = true,
          .record =
              [=](Recorder& rec) {
                if (backward) {
                  quant_matmul_backward(rec, tx, parts);
                } else {
                  quant_matmul_forward(rec, parts, tx);
                }
              },
          .compare =
              [=, &store] {
                const std::vector<double> w = reference::dequantize<double>(*q);
                if (backward) {
                  std::vector<double> dy(tokens * m);
                  for (std::uint64_t t = 0; t < tokens; ++t)
                    for (std::uint32_t row = 0; row < m; ++row)
                      dy[t * m + row] = outer[place_of(t, row, tokens)];
                  return Comparison{store.read(tx), product(true, dy, w, size, false),
                                    product(true, dy, w, size, true), static_cast<double>(m)};
                }
                const auto memory = store.read(ty);
                std::vector<float> y(tokens * m);
                for (std::uint64_t t = 0; t < tokens; ++t)
                  for (std::uint32_t row = 0; row < m; ++row)
                    y[t * m + row] = memory[place_of(t, row, tokens)];
                const std::vector<double> x(inner.begin(), inner.end());
                return Comparison{y, product(false, x, w, size, false), product(false, x, w, size, true),
                                  static_cast<double>(n)};
              }};
}

KernelCase dequantized(TensorStore& store, std::uint32_t rows, std::uint32_t columns, std::uint32_t bits,
                       std::uint32_t group_size) {
  const auto q = std::make_shared<const QuantizedMatrix>(
      reference::random_quantized(rows, columns, bits, group_size, 1));
  const QuantizedTensor tq = place(store, *q);
  const Tensor w = store.empty({rows, columns});
  return {.op = "quant_matmul",
          .variant = fmt::format("dequantize, {} bits, group {}", bits, group_size),
          .shape = fmt::format("{} x {}", rows, columns),
          .bytes = static_cast<double>(
              4 * (w.shape.elements() + tq.codes.shape.elements() + tq.grid.shape.elements())),
          .operations = 2 * static_cast<double>(w.shape.elements()),
          .record = [=](Recorder& rec) { dequantize(rec, w, tq); },
          .compare =
              [=, &store] {
                const auto expected = reference::dequantize<double>(*q);
                std::vector<double> magnitude;
                for (const double value : expected) magnitude.push_back(std::abs(value));
                return Comparison{store.read(w), expected, magnitude, 1};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  std::vector<KernelCase> list;
  const auto both = [&](const Sizes& sizes) {
    list.push_back(make(store, false, sizes));
    list.push_back(make(store, true, sizes));
  };
  switch (size) {
    case CaseSize::check:
      for (const std::uint32_t bits : {2u, 3u, 4u, 8u}) {
        both({5, 320, 33, bits, 64});
        both({17, 172, 37, bits, 172});
        list.push_back(dequantized(store, 33, 320, bits, 64));
      }
      both({128, 128, 128, 4, 32});
      for (const bool backward : {false, true})
        list.push_back(in_parts(store, backward, {48, 320, 128, 4, 40}));
      break;
    case CaseSize::standard:
      both({512, 4096, 14336, 4, 64});
      break;
    case CaseSize::all:
      both({512, 4096, 14336, 4, 64});
      for (const std::uint32_t bits : {2u, 3u, 8u}) both({512, 4096, 4096, bits, 64});
      both({512, 4096, 4096, 4, 128});
      for (const std::uint32_t bits : {4u, 3u, 2u}) both({2048, 4096, 14336, bits, 64});
      both({1, 4096, 14336, 4, 64});
      break;
  }
  return list;
}

const CaseRegistration registration("quant_matmul", cases);

}  // namespace
}  // namespace walsh

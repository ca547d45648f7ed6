#include "ops/hadamard.h"

#include <cmath>
#include <memory>

#include "kernel_case.h"
#include "ops/hadamard_reference.h"
#include "ops/rmsnorm_reference.h"

namespace walsh {
namespace {

/// A transform that owns its table; kept alive by the case's closures.
struct Table {
  explicit Table(std::uint32_t n) : transform(arena, n) {}
  vk::Arena arena{"hadamard case"};
  HadamardTransform transform;
};

KernelCase transform(TensorStore& store, std::uint64_t rows, std::uint32_t n, bool transposed) {
  const auto table = std::make_shared<Table>(n);
  table->arena.commit(store.device());
  table->transform.upload(store.device());
  const HadamardLayout& layout = table->transform.layout();
  const auto x = normal(rows * n, 1);
  const Tensor y = store.empty({rows, n}), tx = store.f32({rows, n}, x);
  double additions = std::log2(layout.m2);
  std::string bases;
  for (const std::uint32_t order : layout.bases) {
    additions += order;
    bases += fmt::format(", base {}", order);
  }
  const auto elements = static_cast<double>(rows * n);
  return {.op = "hadamard",
          .variant = (transposed ? "transposed" : "plain") + bases,
          .shape = fmt::format("{} x {}", rows, n),
          .bytes = 8 * elements,
          .operations = elements * additions,
          .record = [=](Recorder& rec) { hadamard(rec, y, tx, table->transform, transposed, 0.5f); },
          .compare =
              [=, &store] {
                const Hadamard h(n);
                std::vector<double> expected(x.begin(), x.end()), magnitude(x.size(), 0.0);
                reference::hadamard_rows(h, expected.data(), rows, transposed, 0.5);
                for (std::size_t r = 0; r < rows; ++r) {
                  double sum = 0;
                  for (std::size_t i = r * n; i < (r + 1) * n; ++i) sum += 0.5 * std::abs(x[i]);
                  std::fill_n(magnitude.begin() + static_cast<std::ptrdiff_t>(r * n), n, sum);
                }
                return Comparison{store.read(y), expected, magnitude, static_cast<double>(n)};
              }};
}

KernelCase of_norm(TensorStore& store, std::uint64_t rows, std::uint32_t n) {
  const auto table = std::make_shared<Table>(n);
  table->arena.commit(store.device());
  table->transform.upload(store.device());
  const auto x = normal(rows * n, 1), addend = normal(rows * n, 2), weight = normal(n, 3);
  const Shape shape{rows, n};
  const Tensor y = store.empty(shape);
  const Norm norm{.y = store.empty(shape),
                  .rstd = store.empty({rows}),
                  .x = store.f32(shape, x),
                  .weight = store.f32({n}, weight),
                  .epsilon = 1e-5f,
                  .addend = store.f32(shape, addend),
                  .sum = store.empty(shape)};
  const auto elements = static_cast<double>(rows * n);
  return {
      .op = "hadamard",
      .variant = "of a norm and a sum",
      .shape = fmt::format("{} x {}", rows, n),
      .bytes = 20 * elements,
      .operations = elements * (std::log2(n) + 5),
      .record = [=](Recorder& rec) { hadamard(rec, y, norm, table->transform, 0.5f); },
      .compare =
          [=, &store] {
            std::vector<double> stream(x.begin(), x.end()), expected, rstd, magnitude(x.size(), 0.0);
            for (std::size_t i = 0; i < stream.size(); ++i) stream[i] += addend[i];
            reference::rmsnorm_forward<double>(expected, rstd, stream, {weight.begin(), weight.end()}, 1e-5);
            for (std::size_t i = 0; i < expected.size(); ++i)
              magnitude[i / n * n] += 0.5 * std::abs(expected[i]);
            for (std::size_t i = 0; i < expected.size(); ++i) magnitude[i] = magnitude[i / n * n];
            reference::hadamard_rows(Hadamard(n), expected.data(), rows, false, 0.5);
            return Comparison{store.read(y), expected, magnitude, static_cast<double>(n)};
          }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  switch (size) {
    case CaseSize::check:
      return {transform(store, 5, 64, false),    transform(store, 9, 24, true),
              transform(store, 7, 576, false),   transform(store, 3, 1536, true),
              transform(store, 2, 4096, true),   transform(store, 2, 25600, true),
              transform(store, 1, 32768, false), of_norm(store, 7, 576)};
    case CaseSize::standard:
      return {transform(store, 2048, 4096, false), of_norm(store, 2048, 4096)};
    case CaseSize::all:
      break;
  }
  std::vector<KernelCase> all;
  for (const std::uint32_t n : {576u, 896u, 1024u, 1536u, 2048u, 3072u, 4096u, 4864u, 5632u, 8192u, 11008u,
                                14336u, 16384u, 18944u, 32768u})
    all.push_back(transform(store, 512, n, false));
  return all;
}

const CaseRegistration registration("hadamard", cases);

}  // namespace
}  // namespace walsh

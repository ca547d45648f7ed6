#include "ops/cross_entropy.h"

#include <algorithm>
#include <cmath>

#include "kernel_case.h"
#include "ops/cross_entropy_reference.h"

namespace walsh {
namespace {

constexpr float loss_scale = 1.0f / 64;

// A check starts from fresh logits, because the gradient takes their place; a measurement does without.
KernelCase gradient(TensorStore& store, std::uint64_t rows, std::uint64_t vocabulary, bool check) {
  const auto x = normal(rows * vocabulary, 1);
  std::vector<std::int32_t> targets(rows);
  for (std::uint64_t r = 0; r < rows; ++r)
    targets[r] = r % 4 == 3 ? -1 : static_cast<std::int32_t>(r * 7919 % vocabulary);
  const Shape shape{rows, vocabulary};
  const Tensor fresh = check ? store.f32(shape, x) : Tensor{};
  const Tensor logits = store.f32(shape, x), loss = store.empty({rows}),
               ttargets = store.i32({rows}, targets), scale = store.f32({1}, {loss_scale});
  const auto elements = static_cast<double>(rows * vocabulary);
  KernelCase result{.op = "cross_entropy",
                    .variant = "loss and gradient",
                    .shape = fmt::format("{} x {}", rows, vocabulary),
                    .bytes = 8 * elements,
                    .operations = 8 * elements,
                    .record =
                        [=](Recorder& rec) {
                          if (check) rec.copy(logits, fresh);
                          cross_entropy(rec, loss, logits, ttargets, scale, true);
                        },
                    .compare = {}};
  if (!check) return result;
  result.compare = [=, &store] {
    std::vector<double> expected_loss, expected, magnitude;
    reference::cross_entropy<double>(expected_loss, expected, {x.begin(), x.end()}, targets, loss_scale);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      // Vulkan grants exp(a) an error of 3 + 2|a| units in the last place; the sum of the row has one too.
      const std::size_t r = i / vocabulary;
      const float* row = x.data() + r * vocabulary;
      const double span = *std::max_element(row, row + vocabulary) - x[i];
      const bool hot = targets[r] >= 0 && i % vocabulary == static_cast<std::size_t>(targets[r]);
      const double p = expected[i] + (hot ? loss_scale : 0);
      magnitude.push_back(p * 4 * (3 + 2 * span) + (hot ? loss_scale : 0));
    }
    return Comparison{store.read(logits), expected, magnitude, static_cast<double>(vocabulary)};
  };
  return result;
}

// The loss alone, as evaluation takes it.
KernelCase loss_only(TensorStore& store, std::uint64_t rows, std::uint64_t vocabulary) {
  const auto x = normal(rows * vocabulary, 1);
  std::vector<std::int32_t> targets(rows);
  for (std::uint64_t r = 0; r < rows; ++r) targets[r] = static_cast<std::int32_t>(r * 7919 % vocabulary);
  const Tensor logits = store.f32({rows, vocabulary}, x), loss = store.empty({rows}),
               ttargets = store.i32({rows}, targets);
  const auto elements = static_cast<double>(rows * vocabulary);
  return {.op = "cross_entropy",
          .variant = "loss",
          .shape = fmt::format("{} x {}", rows, vocabulary),
          .bytes = 4 * elements,
          .operations = 4 * elements,
          .record = [=](Recorder& rec) { cross_entropy(rec, loss, logits, ttargets, {}, false); },
          .compare =
              [=, &store] {
                std::vector<double> expected, gradient, magnitude;
                reference::cross_entropy<double>(expected, gradient, {x.begin(), x.end()}, targets, 1.0);
                // The terms added, and an exponential's error of 3 + 2|a| units in the last place, weighted
                // by its share of the sum.
                for (std::size_t r = 0; r < rows; ++r) {
                  const float* row = x.data() + r * vocabulary;
                  const double largest = *std::max_element(row, row + vocabulary);
                  double sum = 0, error = 0;
                  for (std::size_t v = 0; v < vocabulary; ++v) {
                    sum += std::exp(row[v] - largest);
                    error += std::exp(row[v] - largest) * (3 + 2 * (largest - row[v]));
                  }
                  magnitude.push_back(largest - row[targets[r]] + std::log(sum) + 2 + error / sum);
                }
                return Comparison{store.read(loss), expected, magnitude, static_cast<double>(vocabulary)};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  if (size == CaseSize::check) return {gradient(store, 5, 1031, true), loss_only(store, 5, 1031)};
  std::vector<KernelCase> result;
  result.push_back(gradient(store, 256, 49152, false));
  if (size == CaseSize::all) result.push_back(gradient(store, 128, 151936, false));
  return result;
}

const CaseRegistration registration("cross_entropy", cases);

}  // namespace
}  // namespace walsh

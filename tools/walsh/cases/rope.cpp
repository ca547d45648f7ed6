#include "ops/rope.h"

#include <array>
#include <cmath>

#include "kernel_case.h"
#include "ops/rope_reference.h"

namespace walsh {
namespace {

KernelCase turn(TensorStore& store, std::uint64_t tokens, std::uint64_t heads, std::uint64_t width,
                bool backward = false) {
  // Twice in place would turn twice: each run starts from a copy.
  const auto x = normal(tokens * heads * width, 1);
  std::vector<std::uint32_t> positions;
  std::vector<float> frequencies;
  for (std::uint32_t t = 0; t < tokens; ++t) positions.push_back(t);
  for (std::uint64_t d = 0; d < width / 2; ++d)
    frequencies.push_back(
        static_cast<float>(std::pow(1e4, -2.0 * static_cast<double>(d) / static_cast<double>(width))));
  const Shape shape{tokens, heads, width};
  const Tensor start = store.f32(shape, x), tx = store.empty(shape);
  const Tensor tp = store.u32({tokens}, positions), tf = store.f32({width / 2}, frequencies);
  const auto elements = static_cast<double>(x.size());
  return {.op = "rope",
          .variant = backward ? "backward" : "forward",
          .shape = fmt::format("{} x {} x {}", tokens, heads, width),
          .bytes = 8 * elements,
          .operations = 3 * elements,
          .record =
              [=](Recorder& rec) {
                rec.copy(tx, start);
                if (backward) {
                  rope_backward(rec, std::array{tx}, tp, tf);
                } else {
                  rope_forward(rec, std::array{tx}, tp, tf);
                }
              },
          .compare =
              [=, &store] {
                std::vector<double> expected(x.begin(), x.end()), magnitude;
                reference::rope(expected, heads, width, positions, frequencies, backward ? -1 : 1);
                for (std::size_t i = 0; i < x.size(); ++i) {
                  const std::size_t pair = i % width < width / 2 ? i + width / 2 : i - width / 2;
                  magnitude.push_back(std::abs(x[i]) + std::abs(x[pair]));
                }
                return Comparison{store.read(tx), expected, magnitude, 2};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  if (size == CaseSize::check)
    return {turn(store, 3, 5, 48), turn(store, 130, 3, 64), turn(store, 33, 3, 64, true)};
  if (size == CaseSize::standard) return {turn(store, 512, 9, 64)};
  return {turn(store, 512, 9, 64), turn(store, 2048, 32, 64), turn(store, 2048, 32, 128)};
}

const CaseRegistration registration("rope", cases);

}  // namespace
}  // namespace walsh

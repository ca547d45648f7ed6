#include "ops/plain_matmul.h"

#include <cmath>

#include "kernel_case.h"
#include "ops/matmul_reference.h"

namespace walsh {
namespace {

KernelCase make(TensorStore& store, std::uint64_t tokens, std::uint64_t n, std::uint64_t m) {
  const auto x = normal(tokens * n, 1), w = normal(m * n, 2);
  const Tensor y = store.empty({tokens, m}), tx = store.f32({tokens, n}, x), tw = store.f32({m, n}, w);
  return {
      .op = "plain_matmul",
      .variant = "forward, f32",
      .shape = fmt::format("{} x {} x {}", tokens, n, m),
      .bytes = 4 * static_cast<double>(tokens * (n + m) + m * n),
      .operations = 2 * static_cast<double>(tokens * n * m),
      .record = [=](Recorder& rec) { plain_matmul(rec, y, tx, tw); },
      .compare =
          [=, &store] {
            std::vector<double> expected, magnitude, ax, aw;
            for (const float value : x) ax.push_back(std::abs(value));
            for (const float value : w) aw.push_back(std::abs(value));
            reference::matmul_forward<double>(expected, {x.begin(), x.end()}, {w.begin(), w.end()}, {}, m, n);
            reference::matmul_forward<double>(magnitude, ax, aw, {}, m, n);
            return Comparison{store.read(y), expected, magnitude, static_cast<double>(n)};
          }};
}

// Its speed hardly depends on the shape: a small one will do beside the standard shape of quant_matmul.
std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  if (size == CaseSize::check) return {make(store, 67, 52, 35)};
  return {make(store, 256, 1024, 512)};
}

const CaseRegistration registration("plain_matmul", cases);

}  // namespace
}  // namespace walsh

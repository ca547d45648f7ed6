#include "ops/global_norm.h"

#include "kernel_case.h"
#include "ops/global_norm_reference.h"

namespace walsh {
namespace {

KernelCase norm_of(TensorStore& store, std::uint64_t elements) {
  const auto values = normal(elements, 1);
  const std::vector<Tensor> gradients = {store.f32({elements}, values), store.f32({1}, {2})};
  const Tensor norm = store.empty({2}), scratch = store.empty({global_norm_scratch(gradients)});
  return {
      .op = "global_norm",
      .variant = "two ranges, clipped",
      .shape = fmt::format("{}", elements),
      .bytes = 4 * static_cast<double>(elements),
      .operations = 2 * static_cast<double>(elements),
      .record = [=](Recorder& rec) { global_norm(rec, norm, gradients, scratch, 1); },
      .compare =
          [=, &store] {
            const auto expected = reference::global_norm<double>({{values.begin(), values.end()}, {2}}, 1);
            return Comparison{store.read(norm),
                              {expected[0], expected[1]},
                              {expected[0], expected[1]},
                              static_cast<double>(elements)};
          }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  if (size == CaseSize::check) return {norm_of(store, 65536 + 300)};
  return {norm_of(store, 1 << 24)};
}

const CaseRegistration registration("global_norm", cases);

}  // namespace
}  // namespace walsh

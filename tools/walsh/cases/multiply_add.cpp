#include "ops/multiply_add.h"

#include "kernel_case.h"
#include "ops/multiply_add_reference.h"

namespace walsh {
namespace {

constexpr float x = 0.75f;

KernelCase make(TensorStore& store, std::uint64_t elements, std::uint32_t rounds) {
  const Tensor y = store.empty({elements});
  const double operations = multiply_add_operations(rounds) * static_cast<double>(elements);
  return {
      .op = "multiply_add",
      .variant = "8 chains",
      .shape = fmt::format("{} x {} rounds", elements, rounds),
      .bytes = 4 * static_cast<double>(elements),
      .operations = operations,
      .record = [=](Recorder& rec) { multiply_add(rec, y, rounds, x); },
      .compare =
          [=, &store] {
            std::vector<double> expected;
            reference::multiply_add<double>(expected, elements, rounds, x);
            return Comparison{store.read(y), expected, expected, 32.0 * rounds};  // all terms are positive
          }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  if (size == CaseSize::check) return {make(store, 300, 2)};
  return {make(store, 1 << 16, 32)};
}

const CaseRegistration registration("multiply_add", cases);

}  // namespace
}  // namespace walsh

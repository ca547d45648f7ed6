#include "ops/multiply_matrices.h"

#include <cmath>

#include "kernel_case.h"
#include "ops/multiply_matrices_reference.h"

namespace walsh {
namespace {

KernelCase make(TensorStore& store, vk::Precision operands, const vk::MatrixShape& shape,
                std::uint64_t subgroups, std::uint32_t rounds) {
  // Quarters below 2: exact in any of the types.
  std::vector<float> ab;
  for (std::uint32_t i = 0; i < shape.k * (shape.m + shape.n); ++i)
    ab.push_back(0.25f * static_cast<float>(i * 7 % 15) - 1.75f);
  const Tensor tab = store.f32({ab.size()}, ab), c = store.empty({subgroups, shape.m, shape.n});
  return {.op = "multiply_matrices",
          .variant = std::string(vk::name_of(operands)),
          .shape = fmt::format("{} of {} x {} x {}, {} rounds", subgroups, shape.m, shape.n, shape.k, rounds),
          .bytes = 4 * static_cast<double>(c.shape.elements()),
          .operations = multiply_matrices_operations(shape, rounds) * static_cast<double>(subgroups),
          .operands = operands,
          .record = [=](Recorder& rec) { multiply_matrices(rec, c, tab, operands, rounds); },
          .compare =
              [=, &store] {
                std::vector<double> wide(ab.begin(), ab.end()), absolute;
                for (const double value : wide) absolute.push_back(std::abs(value));
                const auto one = reference::multiply_matrices(wide, shape.m, shape.n, shape.k, rounds);
                const auto size = reference::multiply_matrices(absolute, shape.m, shape.n, shape.k, rounds);
                Comparison result{store.read(c), {}, {}, 8.0 * rounds * shape.k};
                for (std::uint64_t s = 0; s < subgroups; ++s) {
                  result.expected.insert(result.expected.end(), one.begin(), one.end());
                  result.magnitude.insert(result.magnitude.end(), size.begin(), size.end());
                }
                return result;
              }};
}

// Nothing where the device has no matrix units.
std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  std::vector<KernelCase> list;
  for (const vk::Precision operands : {vk::Precision::fp16, vk::Precision::bf16}) {
    const vk::MatrixShape shape = vk::matrix_shape(store.device().info(), operands);
    if (!shape) continue;
    list.push_back(size == CaseSize::check ? make(store, operands, shape, 8, 3)
                                           : make(store, operands, shape, 4096, 512));
  }
  return list;
}

const CaseRegistration registration("multiply_matrices", cases);

}  // namespace
}  // namespace walsh

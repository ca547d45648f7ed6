#include "ops/multiply_matrices.h"

#include "shaders/multiply_matrices.h"

namespace walsh {

void multiply_matrices(Recorder& rec, const Tensor& c, const Tensor& ab, vk::Precision operands,
                       std::uint32_t rounds) {
  constexpr std::uint32_t subgroups = 4;  // of a workgroup
  const vk::DeviceInfo& device = rec.device().info();
  const vk::MatrixShape shape = vk::matrix_shape(device, operands);
  require(static_cast<bool>(shape), "multiply_matrices: {}", vk::why_no_matrices(device, operands));
  require(c.shape.rank() == 3 && c.shape[0] % subgroups == 0,
          "multiply_matrices: c has shape {}, expected [4 g, {}, {}]", c.shape.text(), shape.m, shape.n);
  expect("multiply_matrices", "c", c, DType::f32, {c.shape[0], shape.m, shape.n});
  expect("multiply_matrices", "ab", ab, DType::f32, {std::uint64_t{shape.k} * (shape.m + shape.n)});
  const std::uint32_t size = subgroup_size(device);
  rec.dispatch(
      operands == vk::Precision::fp16 ? "multiply_matrices_coopmat.f16" : "multiply_matrices_coopmat.bf16",
      {c, ab}, MultiplyMatricesArgs{rounds}, {static_cast<std::uint32_t>(c.shape[0] / subgroups), 1, 1},
      {subgroups * size, size, shape.m, shape.n, shape.k});
}

}  // namespace walsh

#include "ops/multiply_matrices.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ops/multiply_matrices_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

TEST(multiply_matrices, agrees_with_its_reference) {
  vk::DeviceInfo info = test::device().info();
  info.tuning.lane_by_lane = false;  // on CPU drivers too
  std::size_t compared = 0;
  for (const vk::Precision operands : {vk::Precision::fp16, vk::Precision::bf16}) {
    const vk::MatrixShape shape = vk::matrix_shape(info, operands);
    if (!shape) continue;
    vk::Device device(info);
    TensorStore tensors(device);
    // Quarters below 2: exact in either type.
    std::vector<double> ab, absolute;
    for (std::uint32_t i = 0; i < shape.k * (shape.m + shape.n); ++i) {
      ab.push_back(0.25 * (i * 7 % 15) - 1.75);
      absolute.push_back(std::abs(ab.back()));
    }
    const Tensor tab = tensors.f32({ab.size()}, {ab.begin(), ab.end()}),
                 c = tensors.empty({8, shape.m, shape.n});
    constexpr std::uint32_t rounds = 3;
    vk::run_once(device, [&](Recorder& rec) { multiply_matrices(rec, c, tab, operands, rounds); });
    const auto one = reference::multiply_matrices(ab, shape.m, shape.n, shape.k, rounds);
    const auto size = reference::multiply_matrices(absolute, shape.m, shape.n, shape.k, rounds);
    const std::vector<float> got = tensors.read(c);
    for (std::size_t s = 0; s < 8; ++s) {
      const auto begin = got.begin() + static_cast<std::ptrdiff_t>(s * one.size());
      test::expect_close({begin, begin + static_cast<std::ptrdiff_t>(one.size())}, one, size,
                         8.0 * rounds * shape.k, "c");
    }
    ++compared;
  }
  if (compared == 0) GTEST_SKIP() << vk::why_no_matrices(info, vk::Precision::fp16);
}

TEST(multiply_matrices, refuses_a_device_without_matrix_units) {
  vk::Recorder rec(test::device());
  if (vk::matrix_shape(test::device().info(), vk::Precision::fp16)) GTEST_SKIP() << "the device has them";
  EXPECT_THROW(multiply_matrices(rec, {}, {}, vk::Precision::fp16, 1), Error);
}

}  // namespace
}  // namespace walsh

#include "ops/plain_matmul.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "ops/matmul.h"
#include "ops/matmul_reference.h"
#include "ops/multiply_add.h"
#include "ops/quant_matmul.h"
#include "ops/quant_matmul_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

TEST(plain_matmul, device_agrees_with_reference) {
  for (const auto& [tokens, n, m] : {std::array<std::uint64_t, 3>{1, 4, 1}, {67, 36, 130}}) {
    const auto x = normal(tokens * n, 1), w = normal(m * n, 2);
    test::Tensors t;
    const Tensor y = t.empty({tokens, m}), tx = t.f32({tokens, n}, x), tw = t.f32({m, n}, w);
    test::run([&](Recorder& rec) { plain_matmul(rec, y, tx, tw); });
    auto ax = test::cast<double>(x), aw = test::cast<double>(w);
    std::vector<double> expected, magnitude;
    reference::matmul_forward(expected, ax, aw, {}, m, n);
    for (auto* values : {&ax, &aw})
      for (double& value : *values) value = std::abs(value);
    reference::matmul_forward(magnitude, ax, aw, {}, m, n);
    test::expect_close(test::read(y), expected, magnitude, static_cast<double>(n), "y");
  }
}

double seconds(vk::Recording& recording) {
  const auto start = std::chrono::steady_clock::now();
  test::device().wait(test::device().submit(recording));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The same product by the kernels that training uses, in turns with the plain one, since machines are noisy:
// the best of five each, of up to forty where something else has the cores. Factors seen on two CPU cores:
// docs/performance.md. What the plain kernel loses there are loads of buffers: it reaches 4 % of the
// arithmetic rate where they are dear (seen on a CPU with AVX2), 9 to 14 % where they are not (seen on one
// with AVX-512), and the others gain less over it. On a GPU, where none was measured yet, the tuned ones must
// not be slower.
TEST(plain_matmul, tuned_kernels_beat_it) {
  const bool cpu = test::device().info().type == vk::DeviceType::cpu;
  const std::uint64_t tokens = 256, n = cpu ? 1024 : 4096, m = cpu ? 512 : 4096;
  const QuantizedMatrix q =
      reference::random_quantized(static_cast<std::uint32_t>(m), static_cast<std::uint32_t>(n), 4, 64, 1);
  test::Tensors t;
  const Tensor y = t.empty({tokens, m}), x = t.f32({tokens, n}, normal(tokens * n, 1)),
               w = t.f32({m, n}, normal(m * n, 2)), dx = t.empty({tokens, n});
  const QuantizedTensor tq{.codes = t.u32({m, words_per_row(q.columns, q.bits)}, q.codes),
                           .grid = t.u32({m, q.groups()}, q.grid),
                           .rows = q.rows,
                           .columns = q.columns,
                           .bits = q.bits,
                           .group_size = q.group_size};
  const auto record = [](auto&& work) {
    vk::Recorder rec(test::device());
    work(rec);
    return rec.finish();
  };
  struct Kernel {
    const char* name;
    vk::Recording recording;
    double factor, with_cheap_loads;  // at least so many times the plain kernel's speed on a CPU driver
    double best = std::numeric_limits<double>::infinity();
  };
  constexpr std::uint32_t rounds = 16;
  const Tensor sums = t.empty({65536});
  Kernel arithmetic{"arithmetic", record([&](Recorder& rec) { multiply_add(rec, sums, rounds, 0.75f); }), 1,
                    1};
  Kernel kernels[] = {
      {"plain", record([&](Recorder& rec) { plain_matmul(rec, y, x, w); }), 1, 1},
      {"matmul forward", record([&](Recorder& rec) { matmul_forward(rec, y, x, w); }), 4, 2.5},
      {"quant_matmul forward", record([&](Recorder& rec) { quant_matmul_forward(rec, y, x, tq); }), 10, 2.8},
      {"quant_matmul backward", record([&](Recorder& rec) { quant_matmul_backward(rec, dx, y, tq); }), 5,
       2.8},
  };
  const double operations = 2.0 * static_cast<double>(tokens * n * m);
  const auto expected = [&](const Kernel& kernel) {
    if (!cpu) return 1.0;
    const double arithmetic_rate = multiply_add_operations(rounds) * 65536 / arithmetic.best;
    const bool cheap_loads = operations / kernels[0].best > 0.08 * arithmetic_rate;
    return cheap_loads ? kernel.with_cheap_loads : kernel.factor;
  };
  const auto too_slow = [&](const Kernel& kernel) {
    return kernels[0].best < expected(kernel) * kernel.best;
  };
  const auto measure = [&](Kernel& kernel, bool first) {
    const double took = seconds(kernel.recording);
    if (!first) kernel.best = std::min(kernel.best, took);  // the first run measures its commands
  };
  for (int run = 0; run < 6 || (run < 41 && std::ranges::any_of(kernels, too_slow)); ++run) {
    measure(arithmetic, run == 0);
    for (Kernel& kernel : kernels) measure(kernel, run == 0);
  }
  if (cpu && !test::device().info().tuning.lane_by_lane) GTEST_SKIP() << "a GPU's kernels on a CPU driver";
  for (const Kernel& kernel : kernels) {
    const double factor = kernels[0].best / kernel.best;
    std::printf("%s: %.2f GFLOP/s, %.1f times the plain kernel\n", kernel.name,
                1e-9 * operations / kernel.best, factor);
    EXPECT_FALSE(too_slow(kernel)) << kernel.name << ": expected " << expected(kernel) << " times";
  }
}

TEST(plain_matmul, refuses_by_name) {
  test::Tensors t;
  vk::Recorder rec(test::device());
  try {
    plain_matmul(rec, t.empty({2, 3}), t.empty({2, 6}), t.empty({3, 6}));
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "plain_matmul: n is 6, expected a multiple of 4");
  }
}

}  // namespace
}  // namespace walsh

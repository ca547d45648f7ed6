#include "ops/peqa.h"

#include "base/half.h"
#include "ops/matmul.h"
#include "ops/matmul_reference.h"
#include "ops/peqa_reference.h"
#include "ops/quant_matmul.h"
#include "ops/quant_matmul_reference.h"
#include "ops/transpose.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

using test::cast;

struct Parts {
  std::vector<double> codes, zeros, scales;
};

Parts parts_of(const QuantizedMatrix& q) {
  Parts parts;
  for (std::uint32_t i = 0; i < q.rows; ++i) {
    for (std::uint32_t j = 0; j < q.columns; ++j) parts.codes.push_back(q.code(i, j));
    for (std::uint32_t k = 0; k < q.groups(); ++k) {
      parts.zeros.push_back(q.zero(i, k));
      parts.scales.push_back(double{q.scale(i, k)});
    }
  }
  return parts;
}

TEST(peqa_reference, scale_gradient_is_the_derivative) {
  const std::uint32_t m = 3, n = 12, tokens = 5;
  const Parts p = parts_of(reference::random_quantized(m, n, 3, 4, 1));
  const auto x = cast<double>(normal(tokens * n, 2)), dy = cast<double>(normal(tokens * m, 3));
  std::vector<double> ds;
  reference::peqa_scale_gradient(ds, dy, x, p.codes, p.zeros, m, n);
  test::expect_gradient(
      p.scales, ds,
      [&](const std::vector<test::Complex>& scales) {
        const auto w = reference::peqa_weight(p.codes, p.zeros, scales, m, n);
        std::vector<test::Complex> y;
        reference::matmul_forward(y, cast<test::Complex>(x), w, {}, m, n);
        test::Complex loss = 0;
        for (std::size_t i = 0; i < y.size(); ++i) loss += y[i] * dy[i];
        return loss;
      },
      "ds");
}

struct Case {
  std::uint64_t tokens;
  std::uint32_t n, m, bits, group_size;
};

class PeqaShapes : public testing::TestWithParam<Case> {};

// Both ways to the gradient of the scales, at every width of codes, over tiles of 64 rows, whose parts of any
// width begin at multiples of 256 bytes.
TEST_P(PeqaShapes, device_agrees_with_reference) {
  const auto [tokens, n, m, bits, group_size] = GetParam();
  const QuantizedMatrix q = reference::random_quantized(m, n, bits, group_size, 1);
  const std::uint32_t groups = q.groups();
  const auto x = normal(tokens * n, 2), dy = normal(tokens * m, 3), before = normal(m * groups, 4);
  vk::Arena arena("quantised weight");
  const QuantizedTensor w = reserve_quantized(arena, m, n, bits, group_size);
  QuantizedTensor at_one = w;
  at_one.grid = reserve(arena, DType::u32, {m, groups});
  arena.commit(test::device());
  upload(test::device(), w, q);
  std::vector<std::uint32_t> ones;
  for (const std::uint32_t word : q.grid) ones.push_back((word & 0xffff0000u) | 0x3c00u);
  test::device().upload(at_one.grid, ones);
  test::Tensors t;
  const Tensor tx = t.f32({tokens, n}, x), tdy = t.f32({tokens, m}, dy), dyt = t.empty({m, tokens});
  const Tensor by_tile = t.f32({m, groups}, before), by_output = t.f32({m, groups}, before);
  const Tensor g = t.empty({m, n}), u = t.empty({tokens, m});
  test::run([&](Recorder& rec) {
    transpose(rec, dyt, tdy);
    for (std::uint32_t first = 0; first < q.rows; first += 64) {
      const std::uint32_t count = std::min(64u, q.rows - first);
      matmul_backward(rec, g.rows(first, count), dyt.rows(first, count), tx);
      peqa_scale_group(rec, by_tile, {}, g.rows(first, count), w, first);
    }
    if (groups > 1) return;
    quant_matmul_forward(rec, u, tx, at_one);
    peqa_scale_channel(rec, by_output, tdy, u);
  });
  const Parts p = parts_of(q);
  std::vector<double> expected = cast<double>(before), magnitude(expected.size(), 0.0);
  reference::peqa_scale_gradient(expected, cast<double>(dy), cast<double>(x), p.codes, p.zeros, m, n);
  auto absolute = [](std::vector<double> v) {
    for (double& value : v) value = std::abs(value);
    return v;
  };
  // |q − z| as codes over zeros of 0
  std::vector<double> distance(p.codes.size());
  for (std::size_t i = 0; i < distance.size(); ++i)
    distance[i] = std::abs(p.codes[i] - p.zeros[i / n * groups + i % n / group_size]);
  reference::peqa_scale_gradient(magnitude, absolute(cast<double>(dy)), absolute(cast<double>(x)), distance,
                                 std::vector<double>(p.zeros.size(), 0.0), m, n);
  for (std::size_t i = 0; i < magnitude.size(); ++i) magnitude[i] += std::abs(before[i]);
  const double length = static_cast<double>(tokens) * group_size;
  test::expect_close(test::read(by_tile), expected, magnitude, length, "ds by tiles");
  if (groups == 1) test::expect_close(test::read(by_output), expected, magnitude, length, "ds by the output");
}

INSTANTIATE_TEST_SUITE_P(shapes, PeqaShapes,
                         testing::Values(Case{1, 8, 1, 4, 8}, Case{5, 96, 33, 2, 32}, Case{9, 60, 70, 3, 20},
                                         Case{17, 172, 37, 4, 172}, Case{7, 64, 18, 8, 16},
                                         Case{13, 130, 65, 3, 130}));

// Beside a float offset the matrix of the scales is q, and the gradient of an offset the sum over its group.
TEST(peqa, offsets_have_the_sum_of_their_group) {
  const std::uint32_t m = 5, n = 96, group = 32;
  const QuantizedMatrix q = reference::random_quantized(m, n, 4, group, 1, true);
  vk::Arena arena("quantised weight");
  const QuantizedTensor w = reserve_quantized(arena, m, n, 4, group, true);
  arena.commit(test::device());
  upload(test::device(), w, q);
  const auto g = normal(m * n, 2), before = normal(m * 3, 3), scale = normal(m * 3, 4),
             offset = normal(m * 3, 5);
  test::Tensors t;
  const Tensor ds = t.f32({m, 3}, before), doffset = t.f32({m, 3}, before);
  test::run([&](Recorder& rec) {
    peqa_scale_group(rec, ds, doffset, t.f32({m, n}, g), w, 0);
    peqa_grid(rec, w, t.f32({m, 3}, scale), t.f32({m, 3}, offset));
  });
  std::vector<double> want_ds = cast<double>(before), want_doffset = want_ds, size(m * 3, 1.0),
                      size_ds = size;
  std::vector<std::uint32_t> words;
  for (std::uint32_t i = 0; i < m; ++i) {
    for (std::uint32_t j = 0; j < n; ++j) {
      const std::size_t k = i * 3 + j / group;
      const double gradient = g[i * n + j];
      want_ds[k] += gradient * q.code(i, j);
      want_doffset[k] += gradient;
      size[k] += std::abs(gradient);
      size_ds[k] += 15 * std::abs(gradient);
    }
  }
  test::expect_close(test::read(ds), want_ds, size_ds, group, "ds");
  test::expect_close(test::read(doffset), want_doffset, size, group, "doffset");
  for (std::size_t k = 0; k < scale.size(); ++k)
    words.push_back(grid_word(float_to_f16(scale[k]), float_to_f16(offset[k])));
  EXPECT_EQ(test::device().download<std::uint32_t>(w.grid), words);
}

// Ties, subnormals, the largest and what rounds beyond it: bit for bit what the host rounds to.
TEST(peqa, grid_takes_scales_rounded_as_on_the_host) {
  std::vector<float> scales = {0.0f,     -0.0f,      1.0f,     1.0f + 0x1p-11f, 1.0f + 3 * 0x1p-11f,
                               65504.0f, 65519.0f,   65520.0f, 0x1p-14f,        0x1p-24f,
                               0x1p-25f, 0x1.8p-24f, -0.0123f, 0x1.ffcp-15f,    0x1.fffp-15f};
  for (const float value : normal(241, 5)) scales.push_back(0.01f * value);
  const auto rows = static_cast<std::uint32_t>(scales.size());
  QuantizedMatrix q = reference::random_quantized(rows, 8, 4, 8, 1);
  vk::Arena arena("quantised weight");
  const QuantizedTensor w = reserve_quantized(arena, rows, 8, 4, 8);
  arena.commit(test::device());
  upload(test::device(), w, q);
  test::Tensors t;
  const Tensor s = t.f32({rows, 1}, scales);
  test::run([&](Recorder& rec) { peqa_grid(rec, w, s); });
  for (std::size_t i = 0; i < rows; ++i) q.grid[i] = grid_word(float_to_f16(scales[i]), q.grid[i] >> 16);
  EXPECT_EQ(test::device().download<std::uint32_t>(w.grid), q.grid);
}

}  // namespace
}  // namespace walsh

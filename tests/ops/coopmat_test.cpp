// Products on cooperative matrices (shaders/*_coopmat.comp) against the references in double: with operands
// that 16 bits hold exactly to the tolerance of fp32 sums, and with any operands to that and what rounding
// them may add. Run on any device that multiplies such matrices, CPU drivers too; where there is none they
// say so and skip.
#include <array>
#include <cmath>

#include "base/half.h"
#include "ops/matmul.h"
#include "ops/matmul_reference.h"
#include "ops/matrix_tile.h"
#include "ops/quant_matmul.h"
#include "ops/quant_matmul_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

using test::cast;
using vk::Precision;

std::vector<double> absolute(const std::vector<double>& values) {
  std::vector<double> out;
  for (const double value : values) out.push_back(std::abs(value));
  return out;
}

float rounded(Precision precision, float value) {
  return precision == Precision::fp16 ? f16_to_float(float_to_f16(value))
                                      : bf16_to_float(float_to_bf16(value));
}

// The device under test as a GPU would be used, with these tiles.
vk::DeviceInfo info_for(bool large_tiles) {
  vk::DeviceInfo info = test::device().info();
  info.tuning.lane_by_lane = false;
  info.tuning.large_tile_results = large_tiles ? 0 : ~std::uint64_t{0};
  return info;
}

vk::Device& device_for(bool large_tiles) {
  static vk::Device small(info_for(false)), large(info_for(true));
  return large_tiles ? large : small;
}

// Both operand types, both tiles, and whether operands are exact.
struct Setting {
  Precision precision;
  bool large_tiles, exact;
};

class Coopmat : public testing::TestWithParam<Setting> {
 protected:
  void SetUp() override {
    const vk::DeviceInfo info = info_for(false);
    if (!vk::matrix_shape(info, GetParam().precision))
      GTEST_SKIP() << vk::name_of(GetParam().precision) << ": "
                   << vk::why_no_matrices(info, GetParam().precision);
  }

  std::vector<float> operand(std::size_t count, std::uint64_t seed) const {
    auto values = normal(count, seed);
    if (GetParam().exact)
      for (float& value : values) value = rounded(GetParam().precision, value);
    return values;
  }

  void expect_near(const std::vector<float>& got, const std::vector<double>& expected,
                   const std::vector<double>& magnitude, double length, const char* what) const {
    ASSERT_EQ(got.size(), expected.size());
    const double allowed =
        tolerance(length) + (GetParam().exact ? 0 : operand_rounding(GetParam().precision));
    const auto [worst, where] = worst_error(got, expected, magnitude);
    EXPECT_LE(worst, allowed) << what << "[" << where << "]: got " << got[where] << ", expected "
                              << expected[where];
  }

  vk::Device& device() const { return device_for(GetParam().large_tiles); }
  template <typename Record>
  void run(Record&& record) const {
    vk::run_once(device(), std::forward<Record>(record), GetParam().precision);
  }
};

struct Sizes {
  std::uint64_t tokens;
  std::uint32_t n, m;
};

// One element; odd everywhere; whole runs in ragged tiles; whole tiles; several workgroups each way.
constexpr Sizes dense_sizes[] = {{1, 1, 1}, {5, 172, 33}, {40, 72, 24}, {128, 64, 128}, {150, 136, 137}};

TEST_P(Coopmat, matmul_agrees_with_reference) {
  for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
    for (const auto& [tokens, n, m] : dense_sizes) {
      SCOPED_TRACE(fmt::format("{} x {} x {}, {}", tokens, n, m, name_of(type)));
      const auto x = operand(tokens * n, 5), dy = operand(tokens * m, 7);
      const auto b = normal(m, 6), dx0 = normal(tokens * n, 8), dw0 = normal(std::size_t{m} * n, 9);
      auto w = operand(std::size_t{m} * n, 11);
      // In the range of every type, with few enough bits for each.
      for (float& value : w) value = type == DType::f32 ? value : bf16_to_float(float_to_bf16(value));
      if (GetParam().exact)
        for (float& value : w) value = rounded(GetParam().precision, value);
      TensorStore t(device());
      const Tensor y = t.empty({tokens, m}), yb = t.empty({tokens, m}), dx = t.empty({tokens, n}),
                   dx_sum = t.f32({tokens, n}, dx0), dw = t.f32({m, n}, dw0);
      const Tensor tx = t.f32({tokens, n}, x), tb = t.f32({m}, b), tdy = t.f32({tokens, m}, dy);
      const Tensor tw = type == DType::f32 ? t.f32({m, n}, w) : t.half(type, {m, n}, w);
      run([&](Recorder& rec) {
        matmul_forward(rec, y, tx, tw);
        matmul_forward(rec, yb, tx, tw, tb);
        matmul_backward(rec, dx, tdy, tw);
        matmul_backward(rec, dx_sum, tdy, tw, true);
        matmul_backward_weight(rec, dw, tdy, tx);
      });
      const auto X = cast<double>(x), W = cast<double>(w), DY = cast<double>(dy), B = cast<double>(b);
      std::vector<double> want, size;
      reference::matmul_forward(want, X, W, {}, m, n);
      reference::matmul_forward(size, absolute(X), absolute(W), {}, m, n);
      expect_near(t.read(y), want, size, n, "y");
      reference::matmul_forward(want, X, W, B, m, n);
      reference::matmul_forward(size, absolute(X), absolute(W), absolute(B), m, n);
      expect_near(t.read(yb), want, size, n + 1.0, "y with bias");
      std::vector<double> want_dx, size_dx, db, want_dw = cast<double>(dw0), size_dw = absolute(want_dw);
      reference::matmul_backward(want_dx, want_dw, db, DY, X, W, m, n);
      reference::matmul_backward(size_dx, size_dw, db, absolute(DY), absolute(X), absolute(W), m, n);
      expect_near(t.read(dx), want_dx, size_dx, m, "dx");
      expect_near(t.read(dw), want_dw, size_dw, static_cast<double>(tokens) + 1, "dw");
      for (std::size_t i = 0; i < want_dx.size(); ++i) {
        want_dx[i] += dx0[i];
        size_dx[i] += std::abs(dx0[i]);
      }
      expect_near(t.read(dx_sum), want_dx, size_dx, m + 1.0, "accumulated dx");
    }
  }
}

// A weight that is there one tile at a time gives what the whole one gives.
TEST_P(Coopmat, matmul_with_tiles_of_a_weight) {
  for (const auto& [tokens, n, m] : {Sizes{24, 96, 168}, Sizes{5, 33, 130}}) {
    SCOPED_TRACE(fmt::format("{} x {} x {}", tokens, n, m));
    const auto x = operand(tokens * n, 1), w = operand(std::size_t{m} * n, 2), dy = operand(tokens * m, 4);
    TensorStore t(device());
    const Tensor y = t.empty({tokens, m}), dx = t.empty({tokens, n}), dw = t.zeros({m, n});
    const Tensor tx = t.f32({tokens, n}, x), tw = t.f32({m, n}, w), tdy = t.f32({tokens, m}, dy);
    run([&](Recorder& rec) {
      for (const std::uint64_t first : {0, 128}) {
        const std::uint64_t count = std::min<std::uint64_t>(128, dw.shape[0] - first);
        matmul_forward_tile(rec, y, tx, tw.rows(first, count), first);
        matmul_backward_tile(rec, dx, tdy, tw.rows(first, count), first, first > 0);
        matmul_backward_weight_tile(rec, dw.rows(first, count), tdy, tx, first);
      }
    });
    const auto X = cast<double>(x), W = cast<double>(w), DY = cast<double>(dy);
    std::vector<double> want, size, want_dx, want_dw, size_dx, size_dw, db;
    reference::matmul_forward(want, X, W, {}, m, n);
    reference::matmul_forward(size, absolute(X), absolute(W), {}, m, n);
    expect_near(t.read(y), want, size, n, "y");
    reference::matmul_backward(want_dx, want_dw, db, DY, X, W, m, n);
    reference::matmul_backward(size_dx, size_dw, db, absolute(DY), absolute(X), absolute(W), m, n);
    expect_near(t.read(dx), want_dx, size_dx, m, "dx");
    expect_near(t.read(dw), want_dw, size_dw, static_cast<double>(tokens), "dw");
  }
}

struct QuantCase {
  std::uint64_t tokens;
  std::uint32_t n, m, group_size;
};

// Groups that begin inside a run of eight, in rows that end inside a word; odd everywhere; whole tiles; tiles
// that hang over every edge.
constexpr QuantCase quant_cases[] = {
    {33, 129, 131, 43}, {70, 45, 19, 5}, {40, 256, 136, 128}, {9, 72, 24, 24}};

TEST_P(Coopmat, quant_matmul_agrees_with_reference) {
  for (const std::uint32_t bits : {2u, 3u, 4u, 8u}) {
    for (const bool offset : {false, true}) {
      if (offset && bits != 4 && bits != 8) continue;
      for (const auto& [tokens, n, m, group_size] : quant_cases) {
        SCOPED_TRACE(fmt::format("{} x {} x {}, {} bits, groups of {}, offset {}", tokens, n, m, bits,
                                 group_size, offset));
        QuantizedMatrix q = reference::random_quantized(m, n, bits, group_size, 1, offset);
        if (GetParam().exact) {
          // Scales of 2^-6 and integer zeros, or offsets that are multiples of it: eight bits and a sign at
          // most.
          for (auto& word : q.grid) {
            const std::uint32_t zero =
                offset ? float_to_f16(-static_cast<float>(word % (1u << (bits - 1))) / 64) : word >> 16;
            word = grid_word(float_to_f16(1.0f / 64), zero);
          }
        }
        const auto x = operand(tokens * n, 2), dy = operand(tokens * m, 4);
        const auto b = normal(m, 3), dx0 = normal(tokens * n, 5);
        vk::Arena arena("quantised weight");
        const QuantizedTensor tq = reserve_quantized(arena, m, n, bits, group_size, offset);
        arena.commit(device());
        upload(device(), tq, q);
        TensorStore t(device());
        const Tensor y = t.empty({tokens, m}), yb = t.empty({tokens, m}), dx = t.empty({tokens, n}),
                     dx_sum = t.f32({tokens, n}, dx0);
        const Tensor tx = t.f32({tokens, n}, x), tb = t.f32({m}, b), tdy = t.f32({tokens, m}, dy);
        run([&](Recorder& rec) {
          quant_matmul_forward(rec, y, tx, tq);
          quant_matmul_forward(rec, yb, tx, tq, tb);
          quant_matmul_backward(rec, dx, tdy, tq);
          quant_matmul_backward(rec, dx_sum, tdy, tq, true);
        });
        const auto X = cast<double>(x), W = reference::dequantize<double>(q), DY = cast<double>(dy),
                   B = cast<double>(b);
        std::vector<double> want, size;
        reference::matmul_forward(want, X, W, {}, m, n);
        reference::matmul_forward(size, absolute(X), absolute(W), {}, m, n);
        expect_near(t.read(y), want, size, n, "y");
        reference::matmul_forward(want, X, W, B, m, n);
        reference::matmul_forward(size, absolute(X), absolute(W), absolute(B), m, n);
        expect_near(t.read(yb), want, size, n + 1.0, "y with bias");
        std::vector<double> want_dx, size_dx, dw, db;
        reference::matmul_backward(want_dx, dw, db, DY, X, W, m, n);
        reference::matmul_backward(size_dx, dw, db, absolute(DY), absolute(X), absolute(W), m, n);
        expect_near(t.read(dx), want_dx, size_dx, m, "dx");
        for (std::size_t i = 0; i < want_dx.size(); ++i) {
          want_dx[i] += dx0[i];
          size_dx[i] += std::abs(dx0[i]);
        }
        expect_near(t.read(dx_sum), want_dx, size_dx, m + 1.0, "accumulated dx");
      }
    }
  }
}

TEST_P(Coopmat, same_bits_twice) {
  const std::uint64_t tokens = 75, n = 140, m = 60;
  TensorStore t(device());
  const Tensor x = t.f32({tokens, n}, normal(tokens * n, 1)), w = t.f32({m, n}, normal(m * n, 2));
  const Tensor y = t.empty({tokens, m}), again = t.empty({tokens, m});
  run([&](Recorder& rec) {
    matmul_forward(rec, y, x, w);
    matmul_forward(rec, again, x, w);
  });
  EXPECT_EQ(t.read(y), t.read(again));
}

// fp32 is what a recorder gives unless it is asked for less, bit for bit; what is asked for changes the
// result.
TEST_P(Coopmat, only_where_the_recorder_lets_operands_be_rounded) {
  if (GetParam().exact) GTEST_SKIP() << "exact operands round to themselves";
  const std::uint64_t tokens = 16, n = 64, m = 16;
  TensorStore t(device());
  const Tensor x = t.f32({tokens, n}, normal(tokens * n, 1)), w = t.f32({m, n}, normal(m * n, 2));
  const Tensor plain = t.empty({tokens, m}), asked = t.empty({tokens, m}), y = t.empty({tokens, m});
  vk::run_once(device(), [&](Recorder& rec) { matmul_forward(rec, plain, x, w); });
  vk::run_once(
      device(), [&](Recorder& rec) { matmul_forward(rec, asked, x, w); }, Precision::fp32);
  run([&](Recorder& rec) { matmul_forward(rec, y, x, w); });
  EXPECT_EQ(t.read(plain), t.read(asked));
  EXPECT_NE(t.read(plain), t.read(y));
}

INSTANTIATE_TEST_SUITE_P(
    operands, Coopmat,
    testing::Values(Setting{Precision::fp16, false, true}, Setting{Precision::fp16, false, false},
                    Setting{Precision::fp16, true, true}, Setting{Precision::bf16, false, true},
                    Setting{Precision::bf16, false, false}, Setting{Precision::bf16, true, true}),
    [](const auto& instance) {
      return fmt::format("{}_{}_{}", vk::name_of(instance.param.precision),
                         instance.param.large_tiles ? "large" : "small",
                         instance.param.exact ? "exact" : "rounded");
    });

}  // namespace
}  // namespace walsh

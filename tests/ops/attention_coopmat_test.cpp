// Attention on cooperative matrices (shaders/attention_*_coopmat.comp) against the reference in double: with
// operands that 16 bits hold exactly to the tolerance of fp32 sums, and with any operands to that and what
// rounding them may add. Run on any device that multiplies such matrices, CPU drivers too; where there is
// none they say so and skip.
#include "ops/attention_matrices.h"
#include "tests/ops/attention_problems.h"

namespace walsh {
namespace {

using test::AttentionData;
using test::AttentionProblem;
using test::AttentionShape;
using test::KeyRanges;
using test::packed;
using vk::Precision;

// The device under test as a GPU would be used; `gpu_tiles` gives a subgroup as many sums as on one.
vk::DeviceInfo info_for(bool gpu_tiles) {
  vk::DeviceInfo info = test::device().info();
  info.tuning.lane_by_lane = false;
  if (gpu_tiles) info.tuning.matrix_sums = vk::Tuning{}.matrix_sums;
  return info;
}

vk::Device& device_for(bool gpu_tiles) {
  static vk::Device own(info_for(false)), gpu(info_for(true));
  return gpu_tiles ? gpu : own;
}

struct Setting {
  Precision precision;
  bool gpu_tiles;
};

class AttentionCoopmat : public testing::TestWithParam<Setting> {
 protected:
  void SetUp() override {
    const vk::DeviceInfo info = info_for(false);
    if (!vk::matrix_shape(info, GetParam().precision))
      GTEST_SKIP() << vk::name_of(GetParam().precision) << ": "
                   << vk::why_no_matrices(info, GetParam().precision);
  }

  test::AttentionResult run(const AttentionShape& s, const AttentionData& data, const KeyRanges& ranges,
                            double scale) const {
    return test::run_attention(device_for(GetParam().gpu_tiles), s, data, ranges, static_cast<float>(scale),
                               {}, GetParam().precision);
  }
};

const AttentionProblem problems[] = {
    {"width_32_group_4", 4, 1, 32, 67, packed({67})},
    {"width_64_group_3_packed", 9, 3, 64, 150, packed({31, 1, 99, 19})},
    {"width_64_window", 3, 1, 64, 100, packed({100}, 17)},
    {"width_64_empty_ranges", 3, 1, 64, 70, {{0, 5, 66, 70, 3, 69}, {0, 5, 70, 70, 2, 70}}},
    {"width_64_all_empty", 9, 1, 64, 17, {{0, 5}, {0, 5}}},
    {"width_64_cache_with_room", 3, 1, 64, 100, {{0, 0, 0, 0, 0, 0}, {60, 61, 62, 63, 64, 65}}},
    {"width_80_group_2_packed", 4, 2, 80, 90, packed({13, 70, 7})},
    {"width_128_group_8", 8, 1, 128, 33, packed({20, 13})},
    {"width_256_group_1", 2, 2, 256, 40, packed({40})},
};

// u = 2^-11 (fp16) or 2^-8 (bf16) is what rounding moves a value by, at most, relative to it. q and k rounded
// move a score by 2u · scale · Σ|q·k|, so p = exp(score − lse) by twice that, relative to it: 2u · r with r =
// 2 · scale · Σ|q·k|. Then, relative to the terms:
//   y = Σ p v      p, v rounded:        2u r + 2u
//   dv = Σ p dy    p, dy rounded:       2u r + 2u
//   ds = p (dp − delta)                 of p (|dp| + |delta|): 2u r, from dp 2u, and delta, which is dy · y,
//                                       what y has, counted in delta's magnitude
//   dq, dk         ds, k or q rounded:  2u r + 4u
// attention_magnitudes counts 2 + r times the terms of y and dv, and as many of dq and dk, so 2u of that
// magnitude covers y and dv; dq and dk too, since 2u (2 + r) >= 2u r + 4u. lse moves by 2u · scale · Σ|q·k|.
// That is operand_rounding(), as of any product.
TEST_P(AttentionCoopmat, agrees_with_reference) {
  for (const AttentionProblem& problem : problems) {
    SCOPED_TRACE(problem.name);
    const AttentionShape s = problem.shape();
    if (GetParam().gpu_tiles && s.width != 64) continue;
    const double scale = 1 / std::sqrt(static_cast<double>(s.width));
    const AttentionData data(s);
    test::expect_attention(run(s, data, problem.ranges, scale), s, data, problem.ranges, scale,
                           operand_rounding(GetParam().precision));
  }
}

// Scores that are all 0 over four keys each: every p is 1/4. q has even dims only and k odd ones, so that
// gradients are none the less not 0; all values are small integers, of which 16 bits round nothing.
TEST_P(AttentionCoopmat, exact_operands_leave_the_error_of_fp32) {
  for (const std::size_t width : {32, 64, 128}) {
    if (GetParam().gpu_tiles && width != 64) continue;
    SCOPED_TRACE(width);
    const AttentionShape s{77, 80, 6, 2, width};
    KeyRanges ranges;
    for (std::uint32_t t = 0; t < s.queries; ++t) {
      ranges.begin.push_back(t / 4 * 4);
      ranges.end.push_back(t / 4 * 4 + 4);
    }
    AttentionData data(s);
    for (std::size_t i = 0; i < data.q.size(); ++i) {
      data.q[i] = i % 2 == 0 ? std::round(data.q[i]) : 0;
      data.dy[i] = std::abs(data.dy[i]) > 1.5f ? std::copysign(1.0f, data.dy[i]) : 0;
    }
    for (std::size_t i = 0; i < data.k.size(); ++i) {
      data.k[i] = i % 2 == 1 ? std::round(data.k[i]) : 0;
      data.v[i] = std::abs(data.v[i]) > 1.5f ? std::copysign(1.0f, data.v[i]) : 0;
    }
    const auto got = run(s, data, ranges, 0.125);
    test::expect_attention(got, s, data, ranges, 0.125);
    for (const auto* gradient : {&got.dq, &got.dk, &got.dv})
      EXPECT_GT(
          static_cast<std::size_t>(std::ranges::count_if(*gradient, [](float value) { return value != 0; })),
          s.queries * width / 4);
  }
}

TEST_P(AttentionCoopmat, same_bits_twice) {
  const AttentionShape s{150, 150, 3, 1, 64};
  const AttentionData data(s);
  const KeyRanges ranges = packed({50, 100});
  EXPECT_TRUE(run(s, data, ranges, 0.125) == run(s, data, ranges, 0.125));
}

// What lies beyond the keys that queries see must not matter, not even NaN.
TEST_P(AttentionCoopmat, unseen_keys_give_nothing) {
  const AttentionShape s{8, 80, 3, 1, 64};
  AttentionData data(s);
  const KeyRanges ranges{std::vector<std::uint32_t>(8, 3), std::vector<std::uint32_t>(8, 70)};
  const auto clean = run(s, data, ranges, 0.125);
  for (std::vector<float>* cache : {&data.k, &data.v}) {
    std::fill(cache->begin(), cache->begin() + 3 * 64, std::numeric_limits<float>::quiet_NaN());
    std::fill(cache->begin() + 70 * 64, cache->end(), std::numeric_limits<float>::quiet_NaN());
  }
  const auto dirty = run(s, data, ranges, 0.125);
  EXPECT_EQ(clean.y, dirty.y);
  EXPECT_EQ(clean.lse, dirty.lse);
  EXPECT_EQ(clean.dq, dirty.dq);
}

TEST_P(AttentionCoopmat, large_scores_do_not_overflow) {
  const AttentionShape s{24, 24, 3, 1, 64};
  AttentionData data(s);
  for (float& value : data.q) value *= 1000;
  const auto got = run(s, data, packed({24}), 1);
  for (const auto* values : {&got.y, &got.lse, &got.dq, &got.dk, &got.dv})
    EXPECT_TRUE(std::ranges::all_of(*values, [](float value) { return std::isfinite(value); }));
}

// fp32 is what a recorder gives unless it is asked for less, bit for bit; what is asked for changes every
// result.
TEST_P(AttentionCoopmat, only_where_the_recorder_lets_operands_be_rounded) {
  const AttentionShape s{40, 40, 3, 1, 64};
  const AttentionData data(s);
  const KeyRanges ranges = packed({40});
  vk::Device& device = device_for(GetParam().gpu_tiles);
  const auto plain = test::run_attention(device, s, data, ranges, 0.125f, {});
  EXPECT_TRUE(plain == test::run_attention(device, s, data, ranges, 0.125f, AttentionKernels::tiled));
  const auto rounded = run(s, data, ranges, 0.125);
  EXPECT_NE(plain.y, rounded.y);
  EXPECT_NE(plain.dq, rounded.dq);
  EXPECT_NE(plain.dk, rounded.dk);
  EXPECT_NE(plain.dv, rounded.dv);
}

INSTANTIATE_TEST_SUITE_P(operands, AttentionCoopmat,
                         testing::Values(Setting{Precision::fp16, false}, Setting{Precision::fp16, true},
                                         Setting{Precision::bf16, false}, Setting{Precision::bf16, true}),
                         [](const auto& instance) {
                           return std::string(vk::name_of(instance.param.precision)) +
                                  (instance.param.gpu_tiles ? "_gpu_tiles" : "");
                         });

vk::DeviceInfo gpu(vk::MatrixShape shape, std::uint32_t subgroup, std::uint32_t shared_bytes) {
  vk::DeviceInfo info;
  info.type = vk::DeviceType::discrete;
  info.features.coopmat = info.features.subgroups = info.features.fp16 = true;
  info.matrices.fp16 = shape;
  info.limits.subgroup_min = info.limits.subgroup_max = subgroup;
  info.limits.max_subgroups = 1024 / subgroup;
  info.limits.max_shared_bytes = shared_bytes;
  return info;
}

constexpr AttentionNeeds all_needs[] = {attention_forward_needs, attention_backward_queries_needs,
                                        attention_backward_keys_needs};

TEST(attention_matrices, every_usual_head_has_a_tile_on_usual_gpus) {
  if (!vk::matrix_shape(gpu({16, 16, 16}, 32, 49152), Precision::fp16)) GTEST_SKIP() << "built without";
  for (const auto& [shape, subgroup] : {std::pair{vk::MatrixShape{16, 16, 16}, 32u},
                                        {{16, 16, 16}, 64u},
                                        {{16, 8, 16}, 32u},
                                        {{8, 16, 16}, 16u},
                                        {{8, 8, 8}, 32u}}) {
    for (const std::uint32_t width : {32, 64, 80, 96, 128, 256}) {
      for (const AttentionNeeds& needs : all_needs) {
        // Sums of dk and dv that would spill: so wide a head, or five matrices, which no two subgroups share.
        if (needs.sums == 2 && (width == 256 || (width == 80 && subgroup == 16))) continue;
        const auto tile =
            choose_attention_tile(gpu(shape, subgroup, 49152), Precision::fp16, width, 512, needs);
        EXPECT_TRUE(tile) << fmt::format("{} x {} x {} in subgroups of {}, heads of {}, {} sums", shape.m,
                                         shape.n, shape.k, subgroup, width, needs.sums);
      }
    }
  }
}

TEST(attention_matrices, are_left_where_a_head_does_not_fit) {
  const auto chosen = [](const vk::DeviceInfo& info, Precision operands, std::uint32_t width,
                         std::uint64_t rows) {
    return choose_attention_tile(info, operands, width, rows, attention_backward_keys_needs).has_value();
  };
  const vk::DeviceInfo device = gpu({16, 16, 16}, 32, 49152);
  EXPECT_FALSE(chosen(device, Precision::fp32, 64, 512));
  EXPECT_FALSE(chosen(device, Precision::fp16, 72, 512));                         // no whole matrices
  EXPECT_FALSE(chosen(device, Precision::fp16, 64, 8));                           // no whole matrix of rows
  EXPECT_FALSE(chosen(gpu({16, 16, 16}, 32, 32768), Precision::fp16, 256, 512));  // no room
}

}  // namespace
}  // namespace walsh

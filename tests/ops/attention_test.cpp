#include "tests/ops/attention_problems.h"

namespace walsh {
namespace {

using reference::AttentionShape;
using reference::KeyRanges;
using test::cast;
using test::Complex;
using test::packed;

TEST(attention, reference_gradient) {
  const AttentionShape shape{6, 7, 4, 2, 8};
  const KeyRanges ranges{{0, 0, 3, 2, 0, 5}, {1, 4, 3, 5, 7, 7}};  // query 2 sees none, query 3 a window
  const double scale = 0.35;
  const auto q = cast<double>(normal(6 * 4 * 8, 1)), k = cast<double>(normal(7 * 2 * 8, 2)),
             v = cast<double>(normal(7 * 2 * 8, 3)), dy = cast<double>(normal(6 * 4 * 8, 4));
  std::vector<double> y, lse, dq, dk, dv;
  reference::attention_forward(y, lse, shape, q, k, v, ranges, scale);
  reference::attention_backward(dq, dk, dv, shape, dy, y, lse, q, k, v, ranges, scale);
  const auto loss = [&](const std::vector<Complex>& cq, const std::vector<Complex>& ck,
                        const std::vector<Complex>& cv) {
    std::vector<Complex> cy, clse;
    reference::attention_forward(cy, clse, shape, cq, ck, cv, ranges, scale);
    Complex sum = 0;
    for (std::size_t i = 0; i < cy.size(); ++i) sum += cy[i] * dy[i];
    return sum;
  };
  const auto cq = cast<Complex>(q), ck = cast<Complex>(k), cv = cast<Complex>(v);
  test::expect_gradient(
      q, dq, [&](const auto& x) { return loss(x, ck, cv); }, "dq");
  test::expect_gradient(
      k, dk, [&](const auto& x) { return loss(cq, x, cv); }, "dk");
  test::expect_gradient(
      v, dv, [&](const auto& x) { return loss(cq, ck, x); }, "dv");
}

test::AttentionResult on_device(const AttentionShape& s, const test::AttentionData& data,
                                const KeyRanges& ranges, float scale, AttentionKernels kernels) {
  return test::run_attention(test::device(), s, data, ranges, scale, kernels);
}

constexpr AttentionKernels families[] = {AttentionKernels::tiled, AttentionKernels::direct};

class AttentionProblems
    : public testing::TestWithParam<std::tuple<test::AttentionProblem, AttentionKernels>> {};

TEST_P(AttentionProblems, device_agrees_with_reference) {
  const auto& [problem, kernels] = GetParam();
  const AttentionShape s = problem.shape();
  const double scale = 1 / std::sqrt(static_cast<double>(s.width));
  const test::AttentionData data(s);
  const auto got = on_device(s, data, problem.ranges, static_cast<float>(scale), kernels);
  test::expect_attention(got, s, data, problem.ranges, scale);
}

const test::AttentionProblem problems[] = {
    {"one_query_one_key", 1, 1, 8, 1, packed({1})},
    {"width_8_group_4", 4, 1, 8, 67, packed({67})},
    {"width_48_group_2_packed", 4, 2, 48, 90, packed({13, 70, 7})},
    {"width_64_group_3_packed", 9, 3, 64, 150, packed({31, 1, 99, 19})},
    {"width_64_window", 3, 1, 64, 100, packed({100}, 17)},
    {"width_64_empty_ranges", 3, 1, 64, 70, {{0, 5, 66, 70, 3, 69}, {0, 5, 70, 70, 2, 70}}},
    {"width_64_all_empty", 3, 1, 64, 5, {{0, 5}, {0, 5}}},
    {"width_128_group_8", 8, 1, 128, 33, packed({20, 13})},
    {"width_128_decoding", 8, 1, 128, 300, {{0}, {257}}},
    {"width_248_uneven_slices", 1, 1, 248, 21, packed({21})},
    {"width_256_group_1", 2, 2, 256, 70, packed({70})},
};

INSTANTIATE_TEST_SUITE_P(shapes, AttentionProblems,
                         testing::Combine(testing::ValuesIn(problems), testing::ValuesIn(families)),
                         [](const auto& info) {
                           const bool direct = std::get<1>(info.param) == AttentionKernels::direct;
                           return std::string(std::get<0>(info.param).name) + (direct ? "_direct" : "_tiled");
                         });

class AttentionFamilies : public testing::TestWithParam<AttentionKernels> {};
INSTANTIATE_TEST_SUITE_P(kernels, AttentionFamilies, testing::ValuesIn(families), [](const auto& info) {
  return info.param == AttentionKernels::direct ? "direct" : "tiled";
});

TEST_P(AttentionFamilies, same_bits_twice) {
  const AttentionShape s{150, 150, 3, 1, 64};
  const test::AttentionData data(s);
  const KeyRanges ranges = packed({50, 100});
  EXPECT_TRUE(on_device(s, data, ranges, 0.125f, GetParam()) ==
              on_device(s, data, ranges, 0.125f, GetParam()));
}

TEST_P(AttentionFamilies, decoding_gives_the_bits_of_no_unseen_key) {
  // A KV cache of 80 places of which 70 are filled: what lies beyond must not matter, not even NaN.
  const AttentionShape s{1, 80, 3, 1, 64};
  test::AttentionData data(s);
  const KeyRanges ranges{{0}, {70}};
  const auto clean = on_device(s, data, ranges, 0.125f, GetParam());
  std::fill(data.k.begin() + 70 * 64, data.k.end(), std::numeric_limits<float>::quiet_NaN());
  std::fill(data.v.begin() + 70 * 64, data.v.end(), std::numeric_limits<float>::quiet_NaN());
  const auto dirty = on_device(s, data, ranges, 0.125f, GetParam());
  EXPECT_EQ(clean.y, dirty.y);
  EXPECT_EQ(clean.lse, dirty.lse);
  EXPECT_EQ(clean.dq, dirty.dq);
}

TEST_P(AttentionFamilies, large_scores_do_not_overflow) {
  const AttentionShape s{4, 4, 3, 1, 64};
  test::AttentionData data(s);
  for (float& value : data.q) value *= 1000;
  const auto got = on_device(s, data, packed({4}), 1.0f, GetParam());
  for (const float value : got.y) EXPECT_TRUE(std::isfinite(value));
  for (const float value : got.lse) EXPECT_TRUE(std::isfinite(value));
}

TEST(attention, refuses_a_wrong_shape_by_name) {
  test::Tensors t;
  const Tensor q = t.empty({2, 3, 8}), k = t.empty({2, 2, 8}), lse = t.empty({2, 3});
  vk::Recorder rec(test::device());
  try {
    attention_forward(rec, q, lse, q, k, k, {}, 1);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "attention_forward: 3 query heads on 2 KV heads, expected a multiple");
  }
}

}  // namespace
}  // namespace walsh

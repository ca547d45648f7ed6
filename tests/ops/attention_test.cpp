#include "ops/attention.h"

#include <algorithm>
#include <limits>

#include "ops/attention_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

using reference::AttentionShape;
using reference::KeyRanges;
using test::cast;
using test::Complex;

/// Sequences of these lengths one after another; a query sees itself and at most window − 1 keys before it.
KeyRanges packed(const std::vector<std::uint32_t>& lengths, std::uint32_t window = 0xffffffff) {
  KeyRanges ranges;
  std::uint32_t start = 0;
  for (const std::uint32_t length : lengths) {
    for (std::uint32_t t = start; t < start + length; ++t) {
      ranges.begin.push_back(t + 1 - std::min(window, t + 1 - start));
      ranges.end.push_back(t + 1);
    }
    start += length;
  }
  return ranges;
}

/// For every key the first and one past the last query that sees it.
KeyRanges queries_of(const KeyRanges& ranges, std::size_t keys) {
  KeyRanges queries{std::vector<std::uint32_t>(keys, 0xffffffff), std::vector<std::uint32_t>(keys, 0)};
  for (std::uint32_t t = 0; t < ranges.begin.size(); ++t) {
    for (std::uint32_t s = ranges.begin[t]; s < ranges.end[t]; ++s) {
      queries.begin[s] = std::min(queries.begin[s], t);
      queries.end[s] = t + 1;
    }
  }
  return queries;
}

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

struct Problem {
  const char* name;
  std::size_t heads, kv_heads, width, keys;
  KeyRanges ranges;
  AttentionShape shape() const { return {ranges.begin.size(), keys, heads, kv_heads, width}; }
};

void PrintTo(const Problem& problem, std::ostream* out) { *out << problem.name; }

struct Result {
  std::vector<float> y, lse, dq, dk, dv;
};

struct Data {
  std::vector<float> q, k, v, dy;
  explicit Data(const AttentionShape& s)
      : q(normal(s.queries * s.heads * s.width, 5)),
        k(normal(s.keys * s.kv_heads * s.width, 6)),
        v(normal(s.keys * s.kv_heads * s.width, 7)),
        dy(normal(s.queries * s.heads * s.width, 8)) {}
};

Result on_device(const AttentionShape& s, const Data& data, const KeyRanges& ranges, float scale,
                 AttentionKernels kernels) {
  test::Tensors t;
  const Shape q_shape{s.queries, s.heads, s.width}, k_shape{s.keys, s.kv_heads, s.width};
  const Shape row_shape{s.queries, s.heads};
  const KeyRanges queries = queries_of(ranges, s.keys);
  const AttentionRanges device_ranges{t.u32({s.queries}, ranges.begin), t.u32({s.queries}, ranges.end),
                                      t.u32({s.keys}, queries.begin), t.u32({s.keys}, queries.end)};
  const Tensor q = t.f32(q_shape, data.q), k = t.f32(k_shape, data.k), v = t.f32(k_shape, data.v),
               dy = t.f32(q_shape, data.dy);
  const Tensor y = t.empty(q_shape), lse = t.empty(row_shape), delta = t.empty(row_shape);
  const Tensor dq = t.empty(q_shape), dk = t.empty(k_shape), dv = t.empty(k_shape);
  test::run([&](Recorder& rec) {
    attention_forward(rec, y, lse, q, k, v, device_ranges, scale, kernels);
    attention_backward(rec, dq, dk, dv, delta, dy, y, lse, q, k, v, device_ranges, scale, kernels);
  });
  return {test::read(y), test::read(lse), test::read(dq), test::read(dk), test::read(dv)};
}

constexpr AttentionKernels families[] = {AttentionKernels::tiled, AttentionKernels::direct};

class AttentionProblems : public testing::TestWithParam<std::tuple<Problem, AttentionKernels>> {};

TEST_P(AttentionProblems, device_agrees_with_reference) {
  const auto& [problem, kernels] = GetParam();
  const AttentionShape s = problem.shape();
  const double scale = 1 / std::sqrt(static_cast<double>(s.width));
  const Data data(s);
  const Result got = on_device(s, data, problem.ranges, static_cast<float>(scale), kernels);

  const auto q = cast<double>(data.q), k = cast<double>(data.k), v = cast<double>(data.v),
             dy = cast<double>(data.dy);
  std::vector<double> y, lse, dq, dk, dv;
  reference::attention_forward(y, lse, s, q, k, v, problem.ranges, scale);
  reference::attention_backward(dq, dk, dv, s, dy, y, lse, q, k, v, problem.ranges, scale);
  const auto magnitudes = reference::attention_magnitudes(s, dy, lse, q, k, v, problem.ranges, scale);
  const double keys = static_cast<double>(s.width + s.keys);
  const double queries = static_cast<double>(s.width + s.queries * (s.heads / s.kv_heads));
  test::expect_close(got.y, y, magnitudes.y, keys, "y");
  test::expect_close(got.dq, dq, magnitudes.dq, keys, "dq");
  test::expect_close(got.dk, dk, magnitudes.dk, queries, "dk");
  test::expect_close(got.dv, dv, magnitudes.dv, queries, "dv");
  // A query that sees nothing has lse = −∞; the difference of two infinities is no number, so those are
  // compared apart.
  std::vector<float> finite = got.lse;
  for (std::size_t i = 0; i < lse.size(); ++i) {
    if (!std::isinf(lse[i])) continue;
    EXPECT_EQ(got.lse[i], -std::numeric_limits<float>::infinity()) << "lse[" << i << "]";
    finite[i] = 0;
    lse[i] = 0;
  }
  test::expect_close(finite, lse, magnitudes.lse, keys, "lse");
}

const Problem problems[] = {
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
  const Data data(s);
  const KeyRanges ranges = packed({50, 100});
  const Result a = on_device(s, data, ranges, 0.125f, GetParam()),
               b = on_device(s, data, ranges, 0.125f, GetParam());
  EXPECT_EQ(a.y, b.y);
  EXPECT_EQ(a.lse, b.lse);
  EXPECT_EQ(a.dq, b.dq);
  EXPECT_EQ(a.dk, b.dk);
  EXPECT_EQ(a.dv, b.dv);
}

TEST_P(AttentionFamilies, decoding_gives_the_bits_of_no_unseen_key) {
  // A KV cache of 80 places of which 70 are filled: what lies beyond must not matter, not even NaN.
  const AttentionShape s{1, 80, 3, 1, 64};
  Data data(s);
  const KeyRanges ranges{{0}, {70}};
  const Result clean = on_device(s, data, ranges, 0.125f, GetParam());
  std::fill(data.k.begin() + 70 * 64, data.k.end(), std::numeric_limits<float>::quiet_NaN());
  std::fill(data.v.begin() + 70 * 64, data.v.end(), std::numeric_limits<float>::quiet_NaN());
  const Result dirty = on_device(s, data, ranges, 0.125f, GetParam());
  EXPECT_EQ(clean.y, dirty.y);
  EXPECT_EQ(clean.lse, dirty.lse);
  EXPECT_EQ(clean.dq, dirty.dq);
}

TEST_P(AttentionFamilies, large_scores_do_not_overflow) {
  const AttentionShape s{4, 4, 3, 1, 64};
  Data data(s);
  for (float& value : data.q) value *= 1000;
  const Result got = on_device(s, data, packed({4}), 1.0f, GetParam());
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

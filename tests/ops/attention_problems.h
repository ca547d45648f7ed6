// Attention problems for the tests of its kernels: what queries see, operands, a run on a device, and the
// comparison with the reference in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <ostream>

#include "ops/attention.h"
#include "ops/attention_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh::test {

using reference::AttentionShape;
using reference::KeyRanges;

/// Sequences of these lengths one after another; a query sees itself and at most window − 1 keys before it.
inline KeyRanges packed(const std::vector<std::uint32_t>& lengths, std::uint32_t window = 0xffffffff) {
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
inline KeyRanges queries_of(const KeyRanges& ranges, std::size_t keys) {
  KeyRanges queries{std::vector<std::uint32_t>(keys, 0xffffffff), std::vector<std::uint32_t>(keys, 0)};
  for (std::uint32_t t = 0; t < ranges.begin.size(); ++t) {
    for (std::uint32_t s = ranges.begin[t]; s < ranges.end[t]; ++s) {
      queries.begin[s] = std::min(queries.begin[s], t);
      queries.end[s] = t + 1;
    }
  }
  return queries;
}

struct AttentionProblem {
  const char* name;
  std::size_t heads, kv_heads, width, keys;
  KeyRanges ranges;
  AttentionShape shape() const { return {ranges.begin.size(), keys, heads, kv_heads, width}; }
};

inline void PrintTo(const AttentionProblem& problem, std::ostream* out) { *out << problem.name; }

struct AttentionData {
  std::vector<float> q, k, v, dy;
  explicit AttentionData(const AttentionShape& s)
      : q(normal(s.queries * s.heads * s.width, 5)),
        k(normal(s.keys * s.kv_heads * s.width, 6)),
        v(normal(s.keys * s.kv_heads * s.width, 7)),
        dy(normal(s.queries * s.heads * s.width, 8)) {}
};

struct AttentionResult {
  std::vector<float> y, lse, dq, dk, dv;
  bool operator==(const AttentionResult&) const = default;
};

inline AttentionResult run_attention(vk::Device& device, const AttentionShape& s, const AttentionData& data,
                                     const KeyRanges& ranges, float scale,
                                     std::optional<AttentionKernels> kernels,
                                     vk::Precision operands = vk::Precision::fp32) {
  TensorStore t(device);
  const Shape q_shape{s.queries, s.heads, s.width}, k_shape{s.keys, s.kv_heads, s.width};
  const Shape row_shape{s.queries, s.heads};
  const KeyRanges queries = queries_of(ranges, s.keys);
  const AttentionRanges device_ranges{t.u32({s.queries}, ranges.begin), t.u32({s.queries}, ranges.end),
                                      t.u32({s.keys}, queries.begin), t.u32({s.keys}, queries.end)};
  const Tensor q = t.f32(q_shape, data.q), k = t.f32(k_shape, data.k), v = t.f32(k_shape, data.v),
               dy = t.f32(q_shape, data.dy);
  const Tensor y = t.empty(q_shape), lse = t.empty(row_shape), delta = t.empty(row_shape);
  const Tensor dq = t.empty(q_shape), dk = t.empty(k_shape), dv = t.empty(k_shape);
  vk::run_once(
      device,
      [&](Recorder& rec) {
        attention_forward(rec, y, lse, q, k, v, device_ranges, scale, kernels);
        attention_backward(rec, dq, dk, dv, delta, dy, y, lse, q, k, v, device_ranges, scale, kernels);
      },
      operands);
  return {t.read(y), t.read(lse), t.read(dq), t.read(dk), t.read(dv)};
}

/// `rounding`: what operands of 16 bits may add, in the units of `tolerance`.
inline void expect_attention(const AttentionResult& got, const AttentionShape& s, const AttentionData& data,
                             const KeyRanges& ranges, double scale, double rounding = 0) {
  const auto q = cast<double>(data.q), k = cast<double>(data.k), v = cast<double>(data.v),
             dy = cast<double>(data.dy);
  std::vector<double> y, lse, dq, dk, dv;
  reference::attention_forward(y, lse, s, q, k, v, ranges, scale);
  reference::attention_backward(dq, dk, dv, s, dy, y, lse, q, k, v, ranges, scale);
  const auto magnitudes = reference::attention_magnitudes(s, dy, lse, q, k, v, ranges, scale);
  const double keys = static_cast<double>(s.width + s.keys);
  const double queries = static_cast<double>(s.width + s.queries * (s.heads / s.kv_heads));
  // A query that sees nothing has lse = −∞; the difference of two infinities is no number, so those are
  // compared apart.
  std::vector<float> finite = got.lse;
  for (std::size_t i = 0; i < lse.size(); ++i) {
    if (!std::isinf(lse[i])) continue;
    EXPECT_EQ(got.lse[i], -std::numeric_limits<float>::infinity()) << "lse[" << i << "]";
    finite[i] = 0;
    lse[i] = 0;
  }
  expect_close(got.y, y, magnitudes.y, keys, "y", rounding);
  expect_close(finite, lse, magnitudes.lse, keys, "lse", rounding);
  expect_close(got.dq, dq, magnitudes.dq, keys, "dq", rounding);
  expect_close(got.dk, dk, magnitudes.dk, queries, "dk", rounding);
  expect_close(got.dv, dv, magnitudes.dv, queries, "dv", rounding);
}

}  // namespace walsh::test

// Attention in plain loops, on any scalar type (float, double, std::complex<double> for the complex-step
// check).
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace walsh::reference {

struct AttentionShape {
  std::size_t queries, keys, heads, kv_heads, width;
};

/// Keys [begin[t], end[t]) of query t.
struct KeyRanges {
  std::vector<std::uint32_t> begin, end;
};

/// scores[s − begin] = scale · q[t,h]·k[s].
template <typename T>
std::vector<T> attention_scores(const AttentionShape& shape, const std::vector<T>& q, const std::vector<T>& k,
                                const KeyRanges& ranges, double scale, std::size_t t, std::size_t h) {
  const std::size_t kv = h / (shape.heads / shape.kv_heads), width = shape.width;
  std::vector<T> scores;
  for (std::size_t s = ranges.begin[t]; s < ranges.end[t]; ++s) {
    T score(0);
    for (std::size_t d = 0; d < width; ++d)
      score += q[(t * shape.heads + h) * width + d] * k[(s * shape.kv_heads + kv) * width + d];
    scores.push_back(T(scale) * score);
  }
  return scores;
}

template <typename T>
void attention_forward(std::vector<T>& y, std::vector<T>& lse, const AttentionShape& shape,
                       const std::vector<T>& q, const std::vector<T>& k, const std::vector<T>& v,
                       const KeyRanges& ranges, double scale) {
  using std::exp, std::log, std::real;
  const std::size_t group = shape.heads / shape.kv_heads, width = shape.width;
  y.assign(q.size(), T(0));
  lse.assign(shape.queries * shape.heads, T(-std::numeric_limits<double>::infinity()));
  for (std::size_t t = 0; t < shape.queries; ++t) {
    for (std::size_t h = 0; h < shape.heads; ++h) {
      const auto scores = attention_scores(shape, q, k, ranges, scale, t, h);
      if (scores.empty()) continue;
      double top = real(scores[0]);
      for (const T& score : scores) top = std::max(top, static_cast<double>(real(score)));
      T total(0);
      for (const T& score : scores) total += exp(score - T(top));
      lse[t * shape.heads + h] = T(top) + log(total);
      for (std::size_t i = 0; i < scores.size(); ++i) {
        const T p = exp(scores[i] - lse[t * shape.heads + h]);
        const std::size_t at = ((ranges.begin[t] + i) * shape.kv_heads + h / group) * width;
        for (std::size_t d = 0; d < width; ++d) y[(t * shape.heads + h) * width + d] += p * v[at + d];
      }
    }
  }
}

template <typename T>
void attention_backward(std::vector<T>& dq, std::vector<T>& dk, std::vector<T>& dv,
                        const AttentionShape& shape, const std::vector<T>& dy, const std::vector<T>& y,
                        const std::vector<T>& lse, const std::vector<T>& q, const std::vector<T>& k,
                        const std::vector<T>& v, const KeyRanges& ranges, double scale) {
  using std::exp;
  const std::size_t group = shape.heads / shape.kv_heads, width = shape.width;
  dq.assign(q.size(), T(0));
  dk.assign(k.size(), T(0));
  dv.assign(v.size(), T(0));
  for (std::size_t t = 0; t < shape.queries; ++t) {
    for (std::size_t h = 0; h < shape.heads; ++h) {
      const auto scores = attention_scores(shape, q, k, ranges, scale, t, h);
      const std::size_t row = (t * shape.heads + h) * width;
      T delta(0);
      for (std::size_t d = 0; d < width; ++d) delta += dy[row + d] * y[row + d];
      for (std::size_t i = 0; i < scores.size(); ++i) {
        const T p = exp(scores[i] - lse[t * shape.heads + h]);
        const std::size_t at = ((ranges.begin[t] + i) * shape.kv_heads + h / group) * width;
        T dp(0);
        for (std::size_t d = 0; d < width; ++d) dp += dy[row + d] * v[at + d];
        const T ds = T(scale) * p * (dp - delta);
        for (std::size_t d = 0; d < width; ++d) {
          dq[row + d] += ds * k[at + d];
          dk[at + d] += ds * q[row + d];
          dv[at + d] += p * dy[row + d];
        }
      }
    }
  }
}

/// For the tolerance: per element the sum of the absolute values of the terms, each probability's by how far
/// rounding its score moves it: δp = p · δscore, δscore <= eps · scale · Σ|q·k|.
struct AttentionMagnitudes {
  std::vector<double> y, lse, dq, dk, dv;
};

inline AttentionMagnitudes attention_magnitudes(const AttentionShape& shape, const std::vector<double>& dy,
                                                const std::vector<double>& lse, const std::vector<double>& q,
                                                const std::vector<double>& k, const std::vector<double>& v,
                                                const KeyRanges& ranges, double scale) {
  const std::size_t group = shape.heads / shape.kv_heads, width = shape.width;
  AttentionMagnitudes sums{std::vector<double>(q.size()), std::vector<double>(lse.size()),
                           std::vector<double>(q.size()), std::vector<double>(k.size()),
                           std::vector<double>(v.size())};
  for (std::size_t t = 0; t < shape.queries; ++t) {
    for (std::size_t h = 0; h < shape.heads; ++h) {
      const auto scores = attention_scores(shape, q, k, ranges, scale, t, h);
      const std::size_t row = (t * shape.heads + h) * width;
      const auto key = [&](std::size_t i) {
        return ((ranges.begin[t] + i) * shape.kv_heads + h / group) * width;
      };
      const double row_lse = lse[t * shape.heads + h];
      std::vector<double> p(scores.size());
      double rounding = 0;  // of lse and of every score, in units of eps
      for (std::size_t i = 0; i < scores.size(); ++i) {
        double products = 0;
        for (std::size_t d = 0; d < width; ++d) products += std::abs(q[row + d] * k[key(i) + d]);
        rounding = std::max(rounding, scale * products);
        p[i] = std::exp(scores[i] - row_lse);
      }
      if (!scores.empty()) sums.lse[t * shape.heads + h] = 1 + rounding + std::abs(row_lse);
      const double factor = 2 * (1 + rounding);  // numerator and denominator of a probability
      double delta = 0;
      for (std::size_t i = 0; i < scores.size(); ++i) {
        for (std::size_t d = 0; d < width; ++d) {
          sums.y[row + d] += factor * p[i] * std::abs(v[key(i) + d]);
          delta += factor * p[i] * std::abs(dy[row + d] * v[key(i) + d]);
        }
      }
      for (std::size_t i = 0; i < scores.size(); ++i) {
        double dp = 0;
        for (std::size_t d = 0; d < width; ++d) dp += std::abs(dy[row + d] * v[key(i) + d]);
        const double ds = scale * p[i] * factor * (dp + delta);
        for (std::size_t d = 0; d < width; ++d) {
          sums.dq[row + d] += ds * std::abs(k[key(i) + d]);
          sums.dk[key(i) + d] += ds * std::abs(q[row + d]);
          sums.dv[key(i) + d] += factor * p[i] * std::abs(dy[row + d]);
        }
      }
    }
  }
  return sums;
}

}  // namespace walsh::reference

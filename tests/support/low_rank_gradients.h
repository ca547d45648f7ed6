// Every result of a layer with low-rank factors in double, beside the sums of absolute terms that tolerances
// need.
#pragma once

#include "tests/support/low_rank.h"
#include "tests/support/numbers.h"

namespace walsh::test {

inline std::vector<double> absolute(std::vector<double> values) {
  for (double& value : values) value = std::abs(value);
  return values;
}

struct LowRankResults {
  std::vector<double> y, dx, g, da, db;
};

/// y, this projection's part of dx, and G from the weight w [m, n].
inline LowRankResults projection(const std::vector<double>& x, const std::vector<double>& dy,
                                 const std::vector<double>& w, const std::vector<double>& bias, std::size_t m,
                                 std::size_t n) {
  LowRankResults out;
  reference::matmul_forward(out.y, x, w, bias, m, n);
  out.g = weight_gradient(out.dx, dy, x, w, m, n);
  return out;
}

inline void add_to(std::vector<double>& sum, const std::vector<double>& more) {
  sum.resize(more.size());
  for (std::size_t i = 0; i < more.size(); ++i) sum[i] += more[i];
}

}  // namespace walsh::test

#include <gtest/gtest.h>

#include <vector>

#include "quantize/gptq.h"
#include "tests/support/vectors.h"

namespace walsh::test {
namespace {

void check_case(const VectorCase& c) {
  const std::vector<double> w = c.input("W").data;
  const VectorTensor x = c.input("X");
  const std::size_t tokens = x.shape.at(0);
  const std::size_t n = x.shape.at(1);
  const std::size_t m = w.size() / n;
  std::vector<double> gram(n * n);  // (2/T)·XᵀX
  for (std::size_t t = 0; t < tokens; ++t)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        gram[i * n + j] += 2.0 / static_cast<double>(tokens) * x.data[t * n + i] * x.data[t * n + j];

  ASSERT_FALSE(c.param<bool>("act_order"));
  GptqOptions options;
  options.bits = c.param<std::uint32_t>("bits");
  options.group_size = c.param<int>("group_size");
  options.static_groups = c.param<bool>("static_groups");
  options.damping = c.param<double>("percdamp");
  GptqResult result =
      gptq(w, gram, static_cast<std::uint32_t>(m), static_cast<std::uint32_t>(n), options,
           [&](std::span<const double> group) { return asymmetric_grid(group, options.bits); });
  std::vector<double> scales;
  std::vector<int> zeros;
  for (const auto& grid : result.quantized.grids) {
    scales.push_back(grid.scale);
    zeros.push_back(grid.zero);
  }
  c.compare("scales", scales);
  c.compare("zeros", zeros);
  c.compare("codes", result.quantized.codes);
  c.compare("proxy_loss", std::vector{result.proxy_loss});
  EXPECT_EQ(result.damping, options.damping);
  GroupCodes same = result.quantized;
  c.compare("gptq_error", coordinate_descent(same, w, gram, 0, 0.0));

  c.compare("cd_objective_per_sweep", coordinate_descent(result.quantized, w, gram, c.param<int>("cd_sweeps"),
                                                         c.param<double>("cd_damp")));
  c.compare("cd_codes", result.quantized.codes);

  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      const std::size_t group_size = result.quantized.group_size;
      const auto group = std::span(w).subspan(i * n + j / group_size * group_size, group_size);
      AsymmetricGrid<double>& grid = same.grids[i * (n / group_size) + j / group_size];
      grid = asymmetric_grid(group, options.bits);
      same.codes[i * n + j] =
          static_cast<std::uint8_t>(asymmetric_code(w[i * n + j], grid.scale, grid.zero, options.bits));
    }
  c.compare("rtn_error", coordinate_descent(same, w, gram, 0, 0.0));
}

TEST(vectors, gptq) {
  WALSH_NEEDS_VECTORS("gptq");
  VectorReport report;
  for (const VectorCase& c : load_vectors("gptq")) {
    ASSERT_EQ(c.kind, "gptq") << c.name;
    check_case(c);
    report.compared();
  }
}

}  // namespace
}  // namespace walsh::test

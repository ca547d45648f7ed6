#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "methods/qwha_init.h"
#include "tests/support/vectors.h"

namespace walsh::test {
namespace {

/// ΔW and the undamped G of a case: given, or W0 − s·(q − z) and XᵀX.
struct Problem {
  std::uint32_t m = 0;
  std::uint32_t n = 0;
  std::vector<double> delta;
  std::vector<double> gram;
};

Problem problem_of(const VectorCase& c) {
  Problem out{c.param<std::uint32_t>("m"), c.param<std::uint32_t>("n"), {}, {}};
  if (c.json.at("inputs").contains("delta_W")) {
    out.delta = c.input("delta_W").data;
    out.gram = c.input("G").data;
    return out;
  }
  const std::size_t n = out.n;
  const std::size_t group_size = c.param<std::size_t>("group_size");
  const std::size_t groups = n / group_size;
  out.delta = c.input("W0").data;
  const std::vector<double> codes = c.input("codes").data;
  const std::vector<double> scales = c.input("scales").data;
  const std::vector<double> zeros = c.input("zeros").data;
  for (std::size_t i = 0; i < out.m; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      const std::size_t k = i * groups + j / group_size;
      out.delta[i * n + j] -= scales[k] * (codes[i * n + j] - zeros[k]);
    }
  const VectorTensor x = c.input("X");
  out.gram.assign(n * n, 0.0);
  for (std::size_t t = 0; t < x.shape.at(0); ++t)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) out.gram[i * n + j] += x.data[t * n + i] * x.data[t * n + j];
  return out;
}

std::vector<double> diagonal(const std::vector<double>& matrix, std::size_t n) {
  std::vector<double> values(n);
  for (std::size_t j = 0; j < n; ++j) values[j] = matrix[j * n + j];
  return values;
}

/// One block of expected results, "weight__omp" for example.
void check_start(const VectorCase& c, const std::string& key, const QwhaSpectra& spectra,
                 const QwhaOptions& options, const std::vector<std::uint32_t>& shares) {
  SCOPED_TRACE(c.name + ": " + key);
  const QwhaStart start = qwha_fit(spectra, shares, options);
  const Json& expected = c.json.at("expected").at(key);
  const auto tensor = [&](const char* name) { return to_tensor(expected.at(name), key); };
  std::vector<float> raw = start.coefficients.values;
  for (float& value : raw) value /= static_cast<float>(qwha_stored_over_raw(spectra.rows, options.scale));
  c.compare(tensor("row_ptr"), key + ".row_ptr", start.coefficients.row_ptr);
  c.compare(tensor("col"), key + ".col", start.coefficients.col);
  c.compare(tensor("c_raw"), key + ".c_raw", raw);
  c.compare(tensor("row_error"), key + ".row_error", start.row_error);
  c.compare(tensor("total_error"), key + ".total_error", std::vector{start.error()});
  if (expected.contains("total_error_relative"))
    c.compare(tensor("total_error_relative"), key, std::vector{start.error() / start.error_before()});
}

/// Everything that a case lists, in double; then the float path.
void check_case(const VectorCase& c) {
  const Problem problem = problem_of(c);
  const QwhaSpectra spectra =
      qwha_spectra(std::span<const double>(problem.delta), std::span<const double>(problem.gram), problem.m,
                   problem.n, c.param<double>("damping"));
  c.compare("d", diagonal(spectra.gram, problem.n));
  c.compare("e_weight", spectra.weight_norm);
  c.compare("row_error_before", spectra.error);
  std::vector<double> root = spectra.error;
  for (double& e : root) e = std::sqrt(e);
  c.compare("e_activation", root);
  if (c.expects("spectrum")) c.compare("spectrum", spectra.spectrum);
  if (c.expects("T")) c.compare("T", spectra.target);

  const bool published = c.json.at("params").contains("budget_rule");
  int blocks = 0;
  for (const std::string norm : {"weight", "activation"})
    for (const std::string select : {"gram_diag", "magnitude", "omp", "omp4"}) {
      const std::string key = norm + "__" + select;
      if (!c.expects(key)) continue;
      QwhaOptions options = parse_qwha_options({"budget_norm=" + norm, "select=" + select});
      options.temperature = c.param<double>("t");
      options.floor = published ? 0 : c.param<std::uint32_t>("floor");
      const std::vector<std::uint32_t> shares = qwha_shares(spectra, c.param<std::uint64_t>("p"), options);
      c.compare("budgets_" + norm + (published ? "_reference" : "_ours_floor2"), shares);
      check_start(c, key, spectra, options, shares);
      ++blocks;
    }
  EXPECT_GE(blocks, 6) << c.name;

  // The float path, as a layer takes it: the same support, the errors within the tolerance of fp32.
  const std::vector<float> delta(problem.delta.begin(), problem.delta.end());
  const std::vector<float> gram(problem.gram.begin(), problem.gram.end());
  QwhaOptions options = parse_qwha_options({"select=gram_diag"});
  options.damping = c.param<double>("damping");
  options.floor = published ? 0 : 2;
  const QwhaStart start = qwha_init(std::span<const float>(delta), std::span<const float>(gram), problem.m,
                                    problem.n, c.param<std::uint64_t>("p"), options);
  const Json& expected = c.json.at("expected").at("weight__gram_diag");
  c.compare(to_tensor(expected.at("col"), "col"), "float col", start.coefficients.col);
  const std::vector<float> errors(start.row_error.begin(), start.row_error.end());
  c.compare(to_tensor(expected.at("row_error"), "row_error"), "float row_error", errors);
}

void check_units(const VectorCase& c) {
  for (const Json& row : c.json.at("expected").at("rows")) {
    const auto m = row.at("m").get<std::uint32_t>();
    const auto near = [&](double got, const char* key) {
      const double want = row.at(key).get<double>();
      EXPECT_NEAR(got, want, c.tolerance("fp64") * std::max(1e-3, std::abs(want))) << c.name << ", m = " << m;
    };
    if (row.contains("alpha")) {
      const auto n = row.at("n").get<std::uint32_t>();
      const double kappa = qwha_kappa(m, n, c.param<double>("s"));
      near(kappa, "kappa");
      near(kappa * std::sqrt(n), "alpha");
    } else {
      near(row.at("c_raw").get<double>() * qwha_stored_over_raw(m, 0.25), "stored_at_s_0.25");
      near(row.at("c_raw").get<double>() * qwha_stored_over_raw(m, 4000), "stored_at_s_4000");
    }
  }
}

TEST(vectors, qwha_init) {
  WALSH_NEEDS_VECTORS("qwha_init");
  VectorReport report;
  for (const VectorCase& c : load_vectors("qwha_init")) {
    if (c.kind == "qwha_init")
      check_case(c);
    else if (c.kind == "qwha_units")
      check_units(c);
    else
      FAIL() << c.name << ": unknown kind " << c.kind;
    report.compared();
  }
}

}  // namespace
}  // namespace walsh::test

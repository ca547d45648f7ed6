#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "quantize/magr.h"
#include "tests/support/vectors.h"

namespace walsh::test {
namespace {

template <typename T>
void check_prox(const VectorCase& c) {
  std::vector<T> v = c.input("v").as<T>();
  const std::vector<T> before = v;
  const T alpha = c.param<T>("alpha");
  const std::size_t width = c.input("v").shape.at(1);
  for (std::size_t first = 0; first < v.size(); first += width)
    prox_largest(std::span(v).subspan(first, width), alpha);
  c.compare("prox", v);
  std::vector<T> projection(v.size());  // v − α·Π(v/α) = prox(v)
  for (std::size_t i = 0; i < v.size(); ++i) projection[i] = (before[i] - v[i]) / alpha;
  c.compare("proj_l1_of_v_over_alpha", projection);
}

template <typename T>
void check_magr(const VectorCase& c) {
  const std::vector<T> w = c.input("W").as<T>();
  const VectorTensor x = c.input("X");
  const std::size_t n = x.shape.at(1);
  const auto columns = static_cast<std::uint32_t>(n);
  const auto rows = static_cast<std::uint32_t>(w.size() / n);
  const auto group_size = c.param<std::uint32_t>("group_size");
  const T alpha = c.param<T>("alpha");
  std::vector<T> gram(n * n);
  for (std::size_t t = 0; t < x.shape.at(0); ++t)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        gram[i * n + j] += static_cast<T>(x.data[t * n + i] * x.data[t * n + j]);

  const std::vector<T> v = magr(std::span<const T>(w), std::span<const T>(gram), rows, columns, group_size,
                                alpha, c.param<int>("iterations"));
  const T eigenvalue = largest_eigenvalue(std::span<const T>(gram), columns);
  c.compare("V", v);
  c.compare("lambda_max_G", std::vector{eigenvalue});
  T objective = 0;
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t k = 0; k < n; ++k)
        objective +=
            (v[i * n + j] - w[i * n + j]) * gram[j * n + k] / eigenvalue * (v[i * n + k] - w[i * n + k]) / 2;
  for (std::size_t first = 0; first < v.size(); first += group_size) {
    T largest = 0;
    for (std::size_t j = first; j < first + group_size; ++j) largest = std::max(largest, std::abs(v[j]));
    objective += alpha * largest;
  }
  c.compare("objective", std::vector{objective});
}

TEST(vectors, magr) {
  WALSH_NEEDS_VECTORS("magr");
  VectorReport report;
  for (const VectorCase& c : load_vectors("magr")) {
    if (c.kind == "prox_linf") {
      check_prox<double>(c);
      check_prox<float>(c);
    } else if (c.kind == "magr") {
      check_magr<double>(c);
      check_magr<float>(c);
    } else {
      FAIL() << c.name << ": unknown kind " << c.kind;
    }
    report.compared();
  }
}

}  // namespace
}  // namespace walsh::test

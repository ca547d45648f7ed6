#include <gtest/gtest.h>

#include <string>

#include "ops/hadamard_layout.h"
#include "tests/support/sha256.h"
#include "tests/support/vectors.h"

namespace walsh::test {
namespace {

std::string signs_of_row(const HadamardBase& base, std::uint32_t row, char plus, char minus) {
  std::string signs;
  for (std::uint32_t j = 0; j < base.order; ++j) signs += base.negative(row, j) ? minus : plus;
  return signs;
}

void check_base(const VectorCase& c) {
  const HadamardBase base = hadamard_base(c.param<std::uint32_t>("order"));
  const Json& expected = c.json.at("expected");
  std::string signs;
  for (std::uint32_t i = 0; i < base.order; ++i) signs += signs_of_row(base, i, '1', '0');
  EXPECT_EQ(sha256(signs), expected.at("sha256_of_signs")) << c.name;
  EXPECT_EQ(base.signs == base.transposed().signs, expected.at("symmetric").get<bool>()) << c.name;
  EXPECT_EQ(signs_of_row(base, 0, '+', '-'), expected.at("row_0")) << c.name;
  EXPECT_EQ(signs_of_row(base, 1, '+', '-'), expected.at("row_1")) << c.name;
  if (!expected.contains("rows")) return;
  for (std::uint32_t i = 0; i < base.order; ++i)
    EXPECT_EQ(signs_of_row(base, i, '+', '-'), expected.at("rows").at(i)) << c.name << ", row " << i;
}

void check_layouts(const VectorCase& c) {
  for (const Json& row : c.json.at("expected").at("layouts")) {
    const auto n = row.at("n").get<std::uint32_t>();
    const auto layout = hadamard_layout(n);
    ASSERT_EQ(layout.has_value(), row.at("source") != "none") << n;
    if (!layout) continue;
    EXPECT_EQ(layout->bases, row.at("bases").get<std::vector<std::uint32_t>>()) << n;
    EXPECT_EQ(layout->m2, row.at("m2").get<std::uint32_t>()) << n;
    EXPECT_EQ(layout->n, n);
  }
}

TEST(vectors, hadamard) {
  WALSH_NEEDS_VECTORS("hadamard");
  VectorReport report;
  for (const VectorCase& c : load_vectors("hadamard")) {
    if (c.kind == "hadamard_base")
      check_base(c);
    else if (c.kind == "hadamard_layout")
      check_layouts(c);
    else
      FAIL() << c.name << ": unknown kind " << c.kind;
    report.compared();
  }
}

}  // namespace
}  // namespace walsh::test

#include <gtest/gtest.h>

#include <algorithm>

#include "methods/adaalloc.h"
#include "tests/support/vectors.h"

namespace walsh::test {
namespace {

TEST(vectors, adaalloc) {
  WALSH_NEEDS_VECTORS("adaalloc");
  VectorReport report;
  for (const VectorCase& c : load_vectors("adaalloc")) {
    ASSERT_EQ(c.kind, "adaalloc") << c.name;
    const std::vector<double> errors = c.input("e").as<double>();
    const auto p = c.param<std::uint64_t>("p");
    const auto cap = c.param<std::uint32_t>("cap");
    const auto temperature = c.param<double>("t");
    const auto without_floor = adaalloc(errors, p, cap, temperature, 0);
    c.compare("ours_floor0", without_floor);
    c.compare("ours_floor2", adaalloc(errors, p, cap, temperature, 2));
    // The published rule gives the same without a floor, unless its remainder runs over the cap.
    if (c.expects("reference_rule")) {
      const VectorTensor published = c.expected("reference_rule");
      if (std::ranges::max(published.data) <= cap) c.compare("reference_rule", without_floor);
    }
    report.compared();
  }
}

}  // namespace
}  // namespace walsh::test

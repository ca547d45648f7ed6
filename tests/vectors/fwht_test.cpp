#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "ops/hadamard_reference.h"
#include "tests/support/sha256.h"
#include "tests/support/vectors.h"

namespace walsh::test {
namespace {

template <typename T>
std::vector<T> transformed(const Hadamard& h, std::vector<T> x, bool transpose) {
  reference::hadamard_rows(h, x.data(), 1, transpose, T(1));
  return x;
}

/// The results are integers below 2^24: integers, floats and doubles must all give them exactly.
template <typename T>
void check_full(const VectorCase& c, const Hadamard& h) {
  const std::vector<T> x = c.input("x").as<T>();
  c.compare("x_H", transformed(h, x, false));
  c.compare("x_Ht", transformed(h, x, true));
}

/// x[i] = ((3i² + 7i + 5) mod 17) − 8, as the file says.
std::vector<std::int32_t> sequence_input(std::uint32_t n) {
  std::vector<std::int32_t> x(n);
  for (std::int64_t i = 0; i < n; ++i) x[i] = static_cast<std::int32_t>((3 * i * i + 7 * i + 5) % 17 - 8);
  return x;
}

std::string hash_of(const std::vector<std::int32_t>& x) {
  std::string bytes;
  for (const std::int32_t value : x)
    for (int shift = 0; shift < 32; shift += 8)
      bytes += static_cast<char>(static_cast<std::uint32_t>(value) >> shift);
  return sha256(bytes);
}

void check_checksum(const VectorCase& c, const Hadamard& h) {
  const std::vector<std::int32_t> x = sequence_input(h.layout.n);
  EXPECT_EQ(std::inner_product(x.begin(), x.end(), x.begin(), std::int64_t{0}),
            c.json.at("expected").at("sum_x2").get<std::int64_t>());
  for (const bool transpose : {false, true}) {
    const std::string key = transpose ? "x_Ht" : "x_H";
    const std::vector<std::int32_t> y = transformed(h, x, transpose);
    c.compare(key + "_first", std::vector(y.begin(), y.begin() + 8));
    c.compare(key + "_last", std::vector(y.end() - 8, y.end()));
    EXPECT_EQ(hash_of(y), c.json.at("expected").at("sha256_" + key + "_int32_le")) << c.name;
    const std::vector<float> in_fp32 = transformed(h, std::vector<float>(x.begin(), x.end()), transpose);
    EXPECT_EQ(std::vector<std::int32_t>(in_fp32.begin(), in_fp32.end()), y) << c.name;
  }
}

TEST(vectors, fwht) {
  WALSH_NEEDS_VECTORS("fwht");
  VectorReport report;
  for (const VectorCase& c : load_vectors("fwht")) {
    const Hadamard h(c.param<std::uint32_t>("n"));
    EXPECT_EQ(h.layout.bases, c.param<std::vector<std::uint32_t>>("bases")) << c.name;
    EXPECT_EQ(h.layout.m2, c.param<std::uint32_t>("m2")) << c.name;
    if (c.kind == "fwht") {
      check_full<std::int64_t>(c, h);
      check_full<float>(c, h);
      check_full<double>(c, h);
    } else if (c.kind == "fwht_checksum") {
      check_checksum(c, h);
    } else {
      FAIL() << c.name << ": unknown kind " << c.kind;
    }
    report.compared();
  }
}

}  // namespace
}  // namespace walsh::test

#include "methods/adaalloc.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>

#include "base/error.h"
#include "base/philox.h"

namespace walsh {
namespace {

using Shares = std::vector<std::uint32_t>;

std::uint64_t total(const Shares& shares) {
  return std::accumulate(shares.begin(), shares.end(), std::uint64_t{0});
}

/// The rule as it is stated, one coefficient at a time.
Shares one_at_a_time(const std::vector<double>& errors, std::uint64_t p, std::uint32_t cap,
                     std::uint32_t floor) {
  const double sum = std::accumulate(errors.begin(), errors.end(), 0.0);
  Shares shares;
  for (const double e : errors)
    shares.push_back(static_cast<std::uint32_t>(
        std::clamp<double>(std::floor(e / sum * static_cast<double>(p)), floor, cap)));
  while (total(shares) < p) {
    std::vector<std::size_t> order(shares.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return shares[i]; });
    for (const std::size_t i : order)
      if (shares[i] < cap && total(shares) < p) ++shares[i];
  }
  while (total(shares) > p) --*std::ranges::max_element(shares);
  return shares;
}

TEST(AdaAlloc, FollowsTheRuleOneAtATime) {
  Philox random(1);
  for (int trial = 0; trial < 200; ++trial) {
    const std::uint32_t channels = 1 + random.below(30);
    const std::uint32_t cap = 1 + random.below(40);
    const std::uint32_t p = random.below(channels * cap + 1);
    std::vector<double> errors(channels);
    for (double& e : errors) e = std::exp(3.0 * random.normal());  // a few rows hold most of the error
    const std::uint32_t floor = std::min({2u, p / channels, cap});
    EXPECT_EQ(adaalloc(errors, p, cap), one_at_a_time(errors, p, cap, floor)) << "trial " << trial;
  }
}

TEST(AdaAlloc, KeepsFloorCapAndSum) {
  EXPECT_EQ(adaalloc(std::vector{1e9, 1.0, 1.0, 1.0}, 40, 16), (Shares{16, 8, 8, 8}));
  EXPECT_EQ(adaalloc(std::vector{1.0, 2.0}, 1000, 8), (Shares{8, 8}));  // p beyond channels · cap
  EXPECT_EQ(adaalloc(std::vector{1.0, 1e6, 1.0}, 3, 8),
            (Shares{1, 1, 1}));  // the floor sinks to p / channels
  EXPECT_EQ(total(adaalloc(std::vector{1.0, 1e6, 1.0}, 2, 8)), 2u);
  EXPECT_EQ(adaalloc(std::vector{3.0, 2.0, 1.0}, 0, 8), (Shares{0, 0, 0}));
  EXPECT_EQ(adaalloc(std::vector{5.0}, 7, 8), (Shares{7}));
}

TEST(AdaAlloc, ErrorsThatAreNotPositiveNumbersCountAsZero) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(adaalloc(std::vector{nan, 3.0, 1.0, -5.0, infinity}, 30, 64),
            adaalloc(std::vector{0.0, 3.0, 1.0, 0.0, 0.0}, 30, 64));
  EXPECT_EQ(adaalloc(std::vector{nan, nan, 0.0, -1.0}, 10, 8),
            (Shares{3, 3, 2, 2}));  // nothing left: equal shares
  EXPECT_EQ(adaalloc(std::vector{0.0, 0.0, 0.0}, 9, 8, 0.0), (Shares{3, 3, 3}));
}

TEST(AdaAlloc, ErrorsOfAnySizeShareAlike) {
  const std::vector<double> errors = {4.0, 3.0, 2.0, 1.0};
  for (const double t : {1.0, 2.0})
    for (const double unit : {0x1p-900, 0x1p-40, 0x1p40, 0x1p900}) {
      std::vector<double> scaled = errors;
      for (double& e : scaled) e *= unit;
      EXPECT_EQ(adaalloc(scaled, 1000, 600, t), adaalloc(errors, 1000, 600, t)) << t << ", " << unit;
    }
}

TEST(AdaAlloc, TemperatureZeroIsUniform) {
  EXPECT_EQ(adaalloc(std::vector{100.0, 1.0, 7.0}, 30, 64, 0.0), (Shares{10, 10, 10}));
  EXPECT_THROW(adaalloc(std::vector{1.0}, 1, 1, -1.0), Error);
  EXPECT_THROW(adaalloc(std::vector{1.0}, 1, 1, std::numeric_limits<double>::quiet_NaN()), Error);
  EXPECT_THROW(adaalloc({}, 1, 1), Error);
}

TEST(QwhaBudget, IsRankTimesBothSides) {
  EXPECT_EQ(qwha_budget(64, 4096, 4096), 524288u);
  EXPECT_EQ(qwha_budget(64, 14336, 4096), 1179648u);
  EXPECT_EQ(qwha_budget(288, 576, 576), 576u * 576u);
}

TEST(QwhaBudget, RefusesMoreThanTheLayerHolds) {
  try {
    qwha_budget(289, 576, 576);
    FAIL();
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("rank 288 is the largest"), std::string::npos) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos);
  }
  EXPECT_THROW(qwha_budget(0, 576, 576), Error);
  EXPECT_THROW(qwha_budget(1, 1, 1), Error);
  EXPECT_THROW(qwha_budget(4294967295u, 4294967295u, 65536), Error);
}

}  // namespace
}  // namespace walsh

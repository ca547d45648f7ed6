#include "methods/qwha_options.h"

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace walsh {
namespace {

std::string refusal(const std::string& assignment) {
  try {
    parse_qwha_options({assignment});
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(QwhaOptions, AreSetByKeyWithOrWithoutTheMethod) {
  const QwhaOptions options =
      parse_qwha_options({"qwha.select=omp4", "budget_norm=activation", "qwha.refine=off", "qwha.init=zero",
                          "qwha.temperature=0.5", "floor=0", "damping=1e-3", "scale=0.25"});
  EXPECT_EQ(options.select, QwhaSelect::omp4);
  EXPECT_EQ(options.budget_norm, QwhaBudgetNorm::activation);
  EXPECT_FALSE(options.refine);
  EXPECT_TRUE(options.zero);
  EXPECT_EQ(options.temperature, 0.5);
  EXPECT_EQ(options.floor, 0u);
  EXPECT_EQ(options.damping, 1e-3);
  EXPECT_EQ(options.scale, 0.25);
}

TEST(QwhaOptions, SettingsRoundTrip) {
  QwhaOptions options = parse_qwha_options({"select=ols", "temperature=0.1", "refine=off"});
  QwhaOptions again;
  for (const auto& [key, value] : qwha_settings(options)) set_qwha_option(again, key, value);
  EXPECT_EQ(qwha_settings(again), qwha_settings(options));
  EXPECT_EQ(again.temperature, 0.1);
  EXPECT_NE(qwha_settings(QwhaOptions{}), qwha_settings(options));
}

TEST(QwhaOptions, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(refusal("qwha.selct=omp"),
            "qwha.selct: no such option; known are select, budget_norm, transform, refine, init, "
            "temperature, floor, "
            "block_rows, recode, density, damping, product, gradient, scale");
  EXPECT_EQ(refusal("qwha.select=best"),
            "qwha.select=best: expected one of gram_diag, magnitude, omp, omp4, ols, random");
  for (const std::string bad :
       {"select", "=omp", "temperature=-1", "temperature=nan", "temperature=", "temperature=1x", "floor=-1",
        "floor=1.5", "damping=inf", "damping=2", "scale=0", "refine=yes", "lora.select=omp"})
    EXPECT_NE(refusal(bad), "accepted") << bad;
}

}  // namespace
}  // namespace walsh

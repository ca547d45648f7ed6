// Training where bindings are small: tables and ranges of parameters are cut, and the losses stay.
#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "tests/support/process.h"
#include "tests/support/run_log.h"
#include "tests/support/scratch.h"
#include "tests/support/tiny_model.h"

namespace walsh::test {
namespace {

class SmallBindings : public testing::TestWithParam<const char*> {
 protected:
  SmallBindings() {
    Json config = tiny_config();
    config["vocab_size"] = 1500;  // 384 000 bytes of f32
    write_tiny_model(scratch_ / "model", config, 1);
    write_token_rows(scratch_ / "data.jsonl", 12, 17, 2);
  }

  std::vector<double> losses(const std::string& out, const std::map<std::string, std::string>& environment) {
    std::vector<std::string> words = {"train",
                                      "--model",
                                      (scratch_ / "model").string(),
                                      "--data",
                                      (scratch_ / "data.jsonl").string(),
                                      "--method",
                                      GetParam(),
                                      "--steps",
                                      "5",
                                      "--sequence-length",
                                      "16",
                                      "--batch-size",
                                      "2",
                                      "--learning-rate",
                                      "1e-3",
                                      "--precision",
                                      "fp32",
                                      "--out",
                                      (scratch_ / out).string(),
                                      "--quiet"};
    if (std::string(GetParam()) == "peqa") words.insert(words.end(), {"--bits", "4", "--group-size", "32"});
    const Finished finished = run_walsh(words, environment);
    EXPECT_EQ(finished.status, 0) << finished.err;
    std::vector<double> list;
    for (const std::string& loss : logged_steps(scratch_ / out, {"loss"})) list.push_back(std::stod(loss));
    return list;
  }

  ScratchFolder scratch_;
};

// A table is three or more parts of 131072 bytes; sums over the vocabulary are then taken in another order.
TEST_P(SmallBindings, ChangeNoLossBeyondRounding) {
  const auto whole = losses("whole", {});
  const auto cut = losses("cut", {{"WALSH_MAX_BINDING", "196608"}});
  ASSERT_EQ(whole.size(), 5u);
  ASSERT_EQ(cut.size(), 5u);
  for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(cut[i], whole[i], 1e-5 * whole[i]) << i;
}

INSTANTIATE_TEST_SUITE_P(methods, SmallBindings, testing::Values("peqa", "full"));

}  // namespace
}  // namespace walsh::test

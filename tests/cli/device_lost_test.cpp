// `walsh train` on a device that is lost: an orderly end with the way to go on, or with --recover none at
// all; either way the bits of a run that nothing disturbed.
#include <gtest/gtest.h>

#include "tests/support/process.h"
#include "tests/support/run_log.h"
#include "tests/support/scratch.h"
#include "tests/support/tiny_model.h"

namespace walsh::test {
namespace {

class DeviceLost : public testing::Test {
 protected:
  DeviceLost() {
    write_tiny_model(scratch_ / "model", tiny_config(), 1);
    write_token_rows(scratch_ / "data.jsonl", 12, 17, 2);
  }

  Finished train(const std::string& out, std::vector<std::string> more = {}, std::uint32_t lose_at = 0,
                 const std::string& method = "peqa") const {
    std::vector<std::string> words = {"train",
                                      "--model",
                                      (scratch_ / "model").string(),
                                      "--data",
                                      (scratch_ / "data.jsonl").string(),
                                      "--bits",
                                      "4",
                                      "--group-size",
                                      "32",
                                      "--method",
                                      method,
                                      "--steps",
                                      "12",
                                      "--sequence-length",
                                      "16",
                                      "--batch-size",
                                      "2",
                                      "--save-every",
                                      "2",
                                      "--out",
                                      (scratch_ / out).string()};
    words.insert(words.end(), more.begin(), more.end());
    std::map<std::string, std::string> environment;
    if (lose_at > 0) environment["WALSH_LOSE_DEVICE_AT"] = std::to_string(lose_at);
    return run_walsh(words, environment);
  }

  std::vector<std::string> losses(const std::string& out) const {
    return logged_steps(scratch_ / out, {"step", "loss"});
  }

  // A submission in the middle of training, whatever a device needs for the start: the first of some that is
  // lost after a checkpoint beyond step 0.
  std::uint32_t middle_submission() const {
    for (std::uint32_t n = 8; n < 4000; n += n / 2) {
      const std::string out = "probe" + std::to_string(n);
      const Finished finished = train(out, {}, n);
      if (finished.status == 0) break;
      if (std::filesystem::exists(scratch_ / out / "metrics.jsonl") && losses(out).size() > 2) return n;
    }
    return 0;
  }

  ScratchFolder scratch_;
};

TEST_F(DeviceLost, TheRunEndsWithItsLastCheckpointAndGoesOnFromIt) {
  ASSERT_EQ(train("whole").status, 0);
  const std::uint32_t n = middle_submission();
  ASSERT_GT(n, 0u) << "no submission of training was lost";
  const Finished lost = train("lost", {}, n);
  EXPECT_EQ(lost.status, 1);
  EXPECT_NE(lost.err.find("walsh: the device was lost in vkQueueSubmit2; the last checkpoint is " +
                          (scratch_ / "lost/checkpoints").string()),
            std::string::npos)
      << lost.err;
  const std::string remedy =
      "continue with: walsh train --resume --out " + (scratch_ / "lost").string() + "\n";
  EXPECT_TRUE(lost.err.ends_with(remedy)) << lost.err;
  ASSERT_EQ(run_walsh({"train", "--resume", "--out", (scratch_ / "lost").string()}).status, 0);
  EXPECT_EQ(losses("lost"), losses("whole"));

  const Finished recovered = train("recovered", {"--recover"}, n);
  ASSERT_EQ(recovered.status, 0) << recovered.err;
  EXPECT_NE(recovered.err.find("is opened anew"), std::string::npos) << recovered.err;
  EXPECT_EQ(losses("recovered"), losses("whole"));
  EXPECT_EQ(read_text(scratch_ / "recovered/adapter/adapter_model.safetensors"),
            read_text(scratch_ / "whole/adapter/adapter_model.safetensors"));
}

// QWHA's start runs the model on calibration tokens, so the first submission is long before the first
// checkpoint.
TEST_F(DeviceLost, BeforeTheFirstCheckpointTheRunStartsAgain) {
  const std::vector<std::string> start = {"--rank", "2", "--calibration-sequences", "4"};
  const Finished lost = train("lost", start, 1, "qwha");
  EXPECT_EQ(lost.status, 1);
  EXPECT_NE(lost.err.find("the device was lost in vkQueueSubmit2, before the first checkpoint; start again"),
            std::string::npos)
      << lost.err;
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "lost"));
  std::vector<std::string> recover = start;
  recover.push_back("--recover");
  const Finished recovered = train("recovered", recover, 1, "qwha");
  ASSERT_EQ(recovered.status, 0) << recovered.err;
  ASSERT_EQ(train("whole", start, 0, "qwha").status, 0);
  EXPECT_EQ(losses("recovered"), losses("whole"));
}

TEST_F(DeviceLost, AnUnusableSwitchIsRefused) {
  const Finished finished = run_walsh({"doctor"}, {{"WALSH_LOSE_DEVICE_AT", "soon"}});
  EXPECT_EQ(finished.status, 2);
  EXPECT_NE(finished.err.find("WALSH_LOSE_DEVICE_AT=soon: expected a whole number above 0"),
            std::string::npos)
      << finished.err;
}

}  // namespace
}  // namespace walsh::test

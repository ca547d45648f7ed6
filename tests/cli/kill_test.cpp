// `walsh train` killed outright: what is on disk continues to the bits of a run that nothing disturbed.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/support/process.h"
#include "tests/support/run_log.h"
#include "tests/support/scratch.h"
#include "tests/support/tiny_model.h"

namespace walsh::test {
namespace {

class Killed : public testing::Test {
 protected:
  Killed() {
    write_tiny_model(scratch_ / "model", tiny_config(), 1);
    write_token_rows(scratch_ / "data.jsonl", 12, 17, 2);
  }

  std::vector<std::string> arguments(const std::string& out) const {
    return tiny_train_command(
        scratch_.path(), out,
        {"--steps", std::to_string(steps), "--save-every=2", "--calibration-sequences=4"});
  }
  std::vector<std::string> losses(const std::string& out) const {
    return logged_steps(scratch_ / out, {"step", "loss"});
  }
  std::size_t steps_done(const std::string& out) const {
    const auto file = scratch_ / out / "metrics.jsonl";
    return std::filesystem::exists(file) ? logged_steps(scratch_ / out, {"step"}, true).size() : 0;
  }

  static constexpr std::uint32_t steps = 40;
  ScratchFolder scratch_;
};

TEST_F(Killed, AtAnyMomentLosesAtMostTheWorkSinceTheLastCheckpoint) {
  ASSERT_EQ(run_walsh(arguments("whole")).status, 0);
  std::uint32_t kills = 0;
  for (const std::size_t at : {3u, 11u, 24u}) {
    auto words = arguments("killed");
    if (std::filesystem::exists(scratch_ / "killed")) words.push_back("--resume");
    WalshProcess process(words);
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(120);
    while (steps_done("killed") < at && std::chrono::steady_clock::now() < give_up)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ASSERT_GE(steps_done("killed"), at);
    kills += process.kill().status == 128 + SIGKILL;
  }
  EXPECT_GE(kills, 2u);  // a fast device may have finished before the last
  auto words = arguments("killed");
  words.push_back("--resume");
  const Finished last = run_walsh(words);
  ASSERT_EQ(last.status, 0) << last.err;
  EXPECT_EQ(losses("killed"), losses("whole"));
  for (const char* file : {"adapter_model.safetensors", "adapter_config.json"})
    EXPECT_EQ(read_text(scratch_ / "killed/adapter" / file), read_text(scratch_ / "whole/adapter" / file));
}

}  // namespace
}  // namespace walsh::test

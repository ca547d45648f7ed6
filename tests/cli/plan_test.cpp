// walsh plan: flags of a run that are switches.
#include <gtest/gtest.h>

#include "base/json.h"
#include "tests/support/paths.h"
#include "tests/support/process.h"

namespace walsh::test {
namespace {

std::uint64_t host_bytes(std::vector<std::string> flags) {
  flags.insert(flags.begin(), {"plan", "--model", (source_dir() / "models/Llama-3.1-8B").string(), "--bits",
                               "4", "--json", "--quiet"});
  const Finished finished = run_walsh(flags);
  EXPECT_EQ(finished.status, 0) << finished.err;
  return Json::parse(finished.out).at("host_bytes").get<std::uint64_t>();
}

TEST(PlanCommand, ASwitchWithoutAValueIsOn) {
  EXPECT_EQ(host_bytes({}), 0u);
  EXPECT_GT(host_bytes({"--offload"}), 4000000000u);
  EXPECT_EQ(host_bytes({"--offload"}), host_bytes({"--offload", "true"}));
  EXPECT_EQ(host_bytes({"--offload", "false"}), 0u);
}

}  // namespace
}  // namespace walsh::test

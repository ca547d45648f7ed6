#include "train/options.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "methods/registry.h"

namespace walsh {
namespace {

std::string refusal(auto&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(options, yaml_round_trip) {
  RunOptions options;
  options.model = "models/a: b";
  options.rank = 12;
  options.learning_rate = 1.5e-4;
  options.random_weights = 7;
  set_option(options, "qwha.select", "omp");
  const auto file = std::filesystem::path(testing::TempDir()) / "options.yaml";
  write_file(file, to_yaml(options));
  RunOptions again;
  read_options(again, file);
  EXPECT_EQ(to_yaml(again), to_yaml(options));
  EXPECT_TRUE(changed_options(options, again).empty());
  again.rank = 13;
  again.eval_every = 5;  // may change
  EXPECT_EQ(changed_options(options, again), std::vector<std::string>{"rank (12, now 13)"});
}

TEST(options, refuses_what_it_does_not_know) {
  RunOptions options;
  EXPECT_EQ(refusal([&] { set_option(options, "rnak", "3"); }),
            "unknown option \"rnak\"; see walsh train --help");
  EXPECT_EQ(refusal([&] { set_option(options, "rank", "three"); }),
            "rank: found \"three\", expected a whole number in range");
  EXPECT_NE(refusal([&] { set_option(options, "qwha.selekt", "omp"); }), "accepted");
  options.schedule = "step";
  EXPECT_EQ(refusal([&] { resolve(options); }),
            "schedule: found \"step\", expected one of: cosine, linear, constant");
  options = {};
  options.bits = 5;
  EXPECT_EQ(refusal([&] { resolve(options); }), "bits: found \"5\", expected one of: 2, 3, 4, 8");
  options = {};
  options.method = "full";
  options.offload = true;
  EXPECT_EQ(
      refusal([&] { resolve(options); }),
      "offload: full trains or rewrites the weights themselves, which must be on the device; leave it out");
}

TEST(options, resolve_fills_the_method_defaults) {
  const RunOptions resolved = resolve({});
  EXPECT_EQ(resolved.rank, find_method("qwha").defaults.rank);
  EXPECT_GT(resolved.learning_rate, 0);
  EXPECT_GE(resolved.weight_decay, 0);
}

TEST(options, every_method_resolves_with_defaults_of_its_own) {
  for (const MethodEntry* method : methods()) {
    RunOptions options;
    options.method = method->name;
    if (method->base == BaseRule::own_grid) options.bits = 4;
    const RunOptions resolved = resolve(options);
    EXPECT_EQ(resolved.rank, method->defaults.rank) << method->name;
    EXPECT_EQ(resolved.learning_rate, method->defaults.learning_rate) << method->name;
    EXPECT_EQ(to_yaml(resolve(resolved)), to_yaml(resolved)) << method->name;
  }
}

TEST(options, refuses_what_a_method_does_not_have) {
  const auto refused = [](const std::string& method, const std::map<std::string, std::string>& given) {
    return refusal([&] {
      RunOptions options;
      options.method = method;
      for (const auto& [name, value] : given) set_option(options, name, value);
      resolve(options);
    });
  };
  EXPECT_NE(refused("magic", {}).find("method: found \"magic\", expected one of: qwha, peqa"),
            std::string::npos);
  EXPECT_EQ(refused("full", {{"bits", "4"}}),
            "bits: full trains the weights themselves, unquantised; leave it out");
  EXPECT_EQ(refused("peqa", {{"rank", "8"}}), "rank: peqa has none; leave it out");
  EXPECT_EQ(refused("qwha", {{"alpha", "8"}}), "alpha: qwha has none; leave it out");
  EXPECT_EQ(refused("qwha", {{"lora.init", "cloq"}}),
            "lora.init=cloq: an option of another method than qwha");
  EXPECT_EQ(refused("peqa", {{"peqa.init", "cloq"}}), "peqa.init: no such option; known is train_offset");
  EXPECT_EQ(refused("full", {{"full.init", "cloq"}}), "--set full.init: full has no options of its own");
  EXPECT_EQ(refused("lora", {{"lora.init", "svd"}}), "lora.init=svd: expected zero or cloq");
  EXPECT_EQ(refused("lora", {{"lora.init", "cloq"}, {"bits", "2"}}), "accepted");
}

}  // namespace
}  // namespace walsh

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
}

TEST(options, resolve_fills_the_method_defaults) {
  const RunOptions resolved = resolve({});
  EXPECT_EQ(resolved.rank, find_method("qwha").defaults.rank);
  EXPECT_GT(resolved.learning_rate, 0);
  EXPECT_GE(resolved.weight_decay, 0);
}

}  // namespace
}  // namespace walsh

// devices, doctor and bench as a person runs them.
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "tests/support/paths.h"
#include "tests/support/process.h"
#include "tests/support/scratch.h"
#include "tests/support/tiny_model.h"

namespace walsh::test {
namespace {

/// The JSON object that ends stdout; --json leaves nothing else there.
Json json_of(const Finished& finished) {
  EXPECT_EQ(finished.status, 0) << finished.err;
  return parse_json(finished.out, "stdout");
}

TEST(cli_devices, one_is_chosen) {
  const Json json = json_of(run_walsh({"devices", "--json"}));
  const Json& devices = json.at("devices");
  ASSERT_FALSE(devices.empty());
  for (std::size_t i = 0; i < devices.size(); ++i) EXPECT_EQ(devices[i].at("index"), i);
  EXPECT_LT(json.at("chosen").get<std::size_t>(), devices.size());
}

TEST(cli_devices, a_disabled_feature_is_not_listed) {
  const Json json = json_of(run_walsh({"devices", "--json", "--disable", "subgroups,int64"}));
  const auto features = json.at("devices")[json.at("chosen").get<std::size_t>()].at("features");
  for (const Json& feature : features) {
    EXPECT_NE(feature, "subgroups");
    EXPECT_NE(feature, "int64");
  }
}

TEST(cli_devices, a_flag_beats_the_environment) {
  const Finished none = run_walsh({"devices"}, {{"WALSH_DEVICE", "no such card"}});
  EXPECT_EQ(none.status, 2);
  EXPECT_NE(none.err.find("\"no such card\""), std::string::npos) << none.err;
  EXPECT_EQ(run_walsh({"devices", "--device", "0"}, {{"WALSH_DEVICE", "no such card"}}).status, 0);

  const Finished unknown = run_walsh({"devices"}, {{"WALSH_DISABLE", "warp"}});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_NE(unknown.err.find("unknown feature \"warp\""), std::string::npos) << unknown.err;
  EXPECT_EQ(run_walsh({"devices", "--disable", "int64"}, {{"WALSH_DISABLE", "warp"}}).status, 0);
}

TEST(cli_doctor, every_kernel_passes_and_certificates_compare) {
  const Finished finished =
      run_walsh({"doctor", "--json", "--model", (source_dir() / "models/walsh-tiny").string()});
  Json json = json_of(finished);
  EXPECT_EQ(json.at("failed"), 0);
  EXPECT_EQ(json.at("passed"), json.at("kernels").size());
  EXPECT_GT(json.at("kernels").size(), 40u);
  const Json& training = json.at("training");
  EXPECT_EQ(training.at("steps").size(), 6u);
  EXPECT_LE(training.at("max_error"), training.at("tolerance"));
  EXPECT_EQ(training.at("pass"), true);
  EXPECT_EQ(training.at("deterministic"), true);
  EXPECT_LT(training.at("steps")[2].at("loss"), training.at("steps")[0].at("loss")) << "nothing was trained";

  const ScratchFolder scratch;
  write_file(scratch / "a.json", json.dump());
  json["driver"] = "another";
  Json& losses = json["training"]["adapter_losses"];
  ASSERT_EQ(losses.size(), 100u);
  EXPECT_LT(losses.back(), losses.front()) << "the adapter learnt nothing";
  losses[50] = losses[50].get<double>() * 1.001;
  json["kernels"][0]["pass"] = false;
  json["kernels"].erase(1);
  write_file(scratch / "b.json", json.dump());
  const std::string a = (scratch / "a.json").string(), b = (scratch / "b.json").string();
  EXPECT_TRUE(json_of(run_walsh({"doctor", "--compare", a, a, "--json"})).at("differences").empty());
  const Json differences = json_of(run_walsh({"doctor", "--compare", a, b, "--json"})).at("differences");
  ASSERT_EQ(differences.size(), 4u);
  EXPECT_EQ(differences[0].at("what"), "driver");
  EXPECT_EQ(differences[1].at("b").at("pass"), false);
  EXPECT_TRUE(differences[2].at("b").is_null());
  EXPECT_EQ(differences[3].at("what"), "training");

  losses[50] = nullptr;  // what JSON makes of a loss that is not finite
  write_file(scratch / "c.json", json.dump());
  const std::string c = (scratch / "c.json").string();
  EXPECT_EQ(json_of(run_walsh({"doctor", "--compare", b, c, "--json"})).at("differences").size(), 1u);
  EXPECT_TRUE(json_of(run_walsh({"doctor", "--compare", c, c, "--json"})).at("differences").empty());
}

TEST(cli_doctor, statistics_of_every_kernel_or_a_refusal) {
  const Json devices = json_of(run_walsh({"devices", "--json"}));
  const Json& chosen = devices.at("devices")[devices.at("chosen").get<std::size_t>()];
  const Finished finished = run_walsh({"doctor", "--compile-only", "--json"});
  if (!chosen.at("tells_statistics")) {
    EXPECT_EQ(finished.status, 2);
    EXPECT_NE(finished.err.find("has no VK_KHR_pipeline_executable_properties"), std::string::npos)
        << finished.err;
    return;
  }
  const Json json = json_of(finished);
  EXPECT_GT(json.at("kernels").size(), 40u);
  for (const Json& kernel : json.at("kernels"))
    EXPECT_FALSE(kernel.at("statistics").empty()) << kernel.at("name");
}

TEST(cli_doctor, a_model_that_is_not_there_is_refused_before_anything_runs) {
  const Finished finished = run_walsh({"doctor", "--model", "no-such-model"});
  EXPECT_EQ(finished.status, 2);
  EXPECT_NE(finished.err.find("no-such-model"), std::string::npos) << finished.err;
  EXPECT_EQ(finished.out, "");
}

TEST(cli_doctor, a_file_that_is_no_certificate_is_refused) {
  const ScratchFolder scratch;
  write_file(scratch / "a.json", std::string(R"({"device": "x", "features_used": [], "kernels": 3})"));
  const std::string a = (scratch / "a.json").string();
  const Finished finished = run_walsh({"doctor", "--compare", a, a});
  EXPECT_EQ(finished.status, 2);
  EXPECT_NE(finished.err.find("kernels is number, expected an array"), std::string::npos) << finished.err;
}

TEST(cli_bench, a_kernel_is_held_against_its_limit) {
  const Json json = json_of(run_walsh({"bench", "rope", "--json", "--shapes", "standard"}));
  EXPECT_GT(json.at("copy_gb_per_s"), 0);
  const Json& results = json.at("results");
  ASSERT_FALSE(results.empty());
  for (const Json& result : results) {
    EXPECT_EQ(result.at("name"), "rope");
    EXPECT_GT(result.at("seconds"), 0);
    EXPECT_NEAR(result.at("bytes").get<double>() / result.at("seconds").get<double>(),
                result.at("gb_per_s").get<double>() * 1e9, 1);
    EXPECT_GT(result.at("share_of_limit"), 0);
  }
}

TEST(cli_bench, an_unknown_op_is_refused_by_name) {
  const Finished finished = run_walsh({"bench", "nonsense"});
  EXPECT_EQ(finished.status, 2);
  EXPECT_NE(finished.err.find("no op is named \"nonsense\""), std::string::npos) << finished.err;
}

TEST(cli_bench, a_step_of_every_method_is_timed) {
  const ScratchFolder scratch;
  write_tiny_model(scratch / "model", tiny_config(), 1);
  const std::string model = (scratch / "model").string();
  const Json json =
      json_of(run_walsh({"bench", "step", "--json", "--model", model, "--method",
                         "frozen,qwha,peqa,l4q,lr-qat,lora,full", "--group-size", "32", "--rank", "2",
                         "--batch-size", "1,2", "--sequence-length", "16", "--steps", "1"}));
  const Json& results = json.at("results");
  ASSERT_EQ(results.size(), 14);
  EXPECT_EQ(results[0].at("variant"), "frozen");
  EXPECT_EQ(results[0].at("trained_parameters"), 0);
  for (const Json& result : results) {
    const double seconds = result.at("seconds");
    EXPECT_EQ(result.at("name"), "step");
    EXPECT_GT(seconds, 0);
    EXPECT_GT(result.at("share_of_limit"), 0);
    EXPECT_GE(result.at("idle_share"), 0);
    EXPECT_LT(result.at("idle_share"), 1);
    const double tokens = result.at("shape").get<std::string>().starts_with("1 x 1") ? 16 : 32;
    EXPECT_NEAR(result.at("tokens_per_second").get<double>() * seconds, tokens, 1e-6 * tokens);
  }
  for (std::size_t i = 2; i < results.size(); ++i) EXPECT_GT(results[i].at("trained_parameters"), 0) << i;
}

TEST(cli_bench, a_step_that_cannot_be_is_refused_before_any_is_timed) {
  const ScratchFolder scratch;
  write_tiny_model(scratch / "model", tiny_config(), 1);
  const std::string model = (scratch / "model").string();
  const auto refused = [&](std::vector<std::string> words, const char* why) {
    words.insert(words.begin(), {"bench", "step"});
    const Finished finished = run_walsh(words);
    EXPECT_EQ(finished.status, 2);
    EXPECT_NE(finished.err.find(why), std::string::npos) << finished.err;
    EXPECT_EQ(finished.err.find("tokens/s"), std::string::npos) << finished.err;
  };
  refused({}, "--model is missing");
  refused({"--model", model, "--sequence-length", "16", "--group-size", "32", "--method", "peqa,hope"},
          "method: found \"hope\"");
  refused({"--model", model, "--sequence-length", "16,9999", "--group-size", "32", "--method", "peqa"},
          "sequence-length: found 9999");
  refused({"hadamard"}, "step is timed by itself");
}

TEST(cli_tune, choices_are_kept_and_a_run_names_them) {
  const ScratchFolder scratch;
  const std::map<std::string, std::string> caches{{"XDG_CACHE_HOME", (scratch / "cache").string()}};
  const Json json = json_of(run_walsh({"tune", "--json"}, caches));
  const std::string choices = json.at("choices");
  EXPECT_TRUE(std::filesystem::exists(json.at("path").get<std::string>()));
  ASSERT_FALSE(json.at("measured").empty());
  for (const Json& measured : json.at("measured")) EXPECT_GT(measured.at("seconds"), 0);

  write_tiny_model(scratch / "model", tiny_config(), 1);
  write_token_rows(scratch / "data.jsonl", 4, 17, 2);
  const auto file = std::filesystem::last_write_time(json.at("path").get<std::string>());
  json_of(run_walsh({"train",
                     "--json",
                     "--model",
                     (scratch / "model").string(),
                     "--data",
                     (scratch / "data.jsonl").string(),
                     "--out",
                     (scratch / "run").string(),
                     "--bits",
                     "4",
                     "--group-size",
                     "32",
                     "--rank",
                     "2",
                     "--steps",
                     "1",
                     "--batch-size",
                     "1",
                     "--sequence-length",
                     "16",
                     "--calibration-sequences",
                     "2",
                     "--deterministic-plan",
                     "false"},
                    caches));
  EXPECT_EQ(std::filesystem::last_write_time(json.at("path").get<std::string>()), file);  // measured once
  EXPECT_NE(read_text(scratch / "run" / "config.yaml").find(choices), std::string::npos);
}

}  // namespace
}  // namespace walsh::test

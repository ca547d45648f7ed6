// The public interface: what it refuses, and that a run stopped and resumed through it ends like one that was
// not.
#include <gtest/gtest.h>
#include <walsh/walsh.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/paths.h"
#include "tests/support/temporary_folder.h"

namespace walsh {
namespace {

std::string tiny() { return (test::source_dir() / "models/walsh-tiny").string(); }

// The beginning of the shipped text.
std::string some_text() {
  std::ifstream file(tiny() + "/data/text/train.txt");
  std::string text(3000, ' ');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  return text;
}

Training small_training(const std::string& data) {
  Training training;
  training.set("model", tiny()).set("data", data).set("bits", "2");
  training.set("steps", "2").set("batch-size", "1").set("sequence-length", "32").set("rank", "1");
  training.set("calibration-sequences", "1").set("qwha.refine", "off");
  return training;
}

TEST(Api, RefusesUnknownOptionsAtOnce) {
  Training training;
  EXPECT_THROW(training.set("rnak", "16"), Error);
  EXPECT_THROW(training.set("rank", "many"), Error);
  EXPECT_THROW(training.set("qwha.selct", "omp"), Error);
  EXPECT_THROW(training.read("no-such-file.yaml"), Error);
}

TEST(Api, RefusesDevicesThatAreNotThere) {
  const auto devices = Device::list();
  ASSERT_FALSE(devices.empty());
  EXPECT_THROW(Device(std::to_string(devices.size())), Error);
  EXPECT_THROW(Device("no device has this name"), Error);
  EXPECT_EQ(Device("0").info().name, devices[0].name);
}

TEST(Api, RefusesWhatIsMissing) {
  Device device("0");
  const test::TemporaryFolder folder;
  EXPECT_THROW(Model(device, (folder.path() / "no-model").string()), Error);
  EXPECT_THROW(Training().start(device, (folder.path() / "run").string()), Error);
  EXPECT_THROW(Training().resume(device, (folder.path() / "run").string()), Error);
  EXPECT_THROW(Model(device, tiny(), {}, 64).evaluate(tiny() + "/data/task", 65), Error);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "run"));
}

TEST(Api, AStoppedRunGoesOnAsIfItHadNotStopped) {
  Device device("0");
  const test::TemporaryFolder folder;
  const std::string whole = (folder.path() / "whole").string(), cut = (folder.path() / "cut").string();

  std::vector<double> losses;
  std::size_t lines = 0;
  Training training = small_training(folder.write("train.txt", some_text()).string());
  training.on_step([&](const Training::Step& s) { losses.push_back(s.loss); });
  training.on_message([&](const std::string&) { ++lines; });
  const Training::Result expected = training.start(device, whole);
  EXPECT_EQ(expected.steps, 2u);
  EXPECT_FALSE(expected.interrupted);
  EXPECT_GT(expected.trained_parameters, 0u);
  EXPECT_GT(lines, 0u);
  ASSERT_EQ(losses.size(), 2u);
  EXPECT_TRUE(std::filesystem::exists(expected.adapter + "/adapter_model.safetensors"));

  training.on_step([&](const Training::Step&) { training.stop(); });
  EXPECT_TRUE(training.start(device, cut).interrupted);
  Training rest;  // every option from the run
  rest.on_step([&](const Training::Step& s) {
    EXPECT_EQ(s.step, 2u);
    EXPECT_EQ(s.loss, losses[1]);
  });
  EXPECT_FALSE(rest.resume(device, cut).interrupted);
  EXPECT_THROW(rest.set("rank", "3").resume(device, cut), Error);

  Model model(device, tiny(), whole, 256), resumed(device, tiny(), cut, 256);
  EXPECT_EQ(model.generate("The", {8, 0.0f}), resumed.generate("The", {8, 0.0f}));
}

TEST(Api, EvaluatesAndSamplesAModel) {
  Device device("0");
  const test::TemporaryFolder folder;
  const auto data = folder.write("valid.txt", "The old king had a small dog. The dog had a red ball.\n");
  Model model(device, tiny(), {}, 64);
  const Model::Score score = model.evaluate(data.string(), 16);
  EXPECT_GT(score.tokens, 8u);
  EXPECT_GT(score.loss, 0);
  EXPECT_DOUBLE_EQ(score.perplexity, std::exp(score.loss));
  EXPECT_FALSE(model.generate("The dog", {4, 0.0f}).empty());
}

}  // namespace
}  // namespace walsh

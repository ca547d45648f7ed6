// What bad input gets: exit status 2, one line on stderr that says what was found, nothing written.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "tests/support/byte_tokenizer.h"
#include "tests/support/paths.h"
#include "tests/support/process.h"
#include "tests/support/scratch.h"
#include "tests/support/tiny_model.h"

namespace walsh::test {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;
using Environment = std::map<std::string, std::string>;

class BadInput : public testing::Test {
 protected:
  BadInput() {
    write_tiny_model(scratch_ / "model", tiny_config(), 1);
    write_token_rows(scratch_ / "data.jsonl", 4, 17, 2);
  }

  std::string path(const std::string& name) const { return (scratch_ / name).string(); }

  /// A run that works, with changes: a flag given again replaces its value, an empty one takes it away.
  Words train(const std::map<std::string, std::string>& changes = {}) const {
    std::map<std::string, std::string> flags = {{"model", path("model")}, {"data", path("data.jsonl")},
                                                {"out", path("run")},     {"bits", "2"},
                                                {"group-size", "32"},     {"rank", "2"},
                                                {"steps", "1"},           {"sequence-length", "16"},
                                                {"batch-size", "2"},      {"calibration-sequences", "2"}};
    for (const auto& [name, value] : changes) flags[name] = value;
    Words words{"train"};
    for (const auto& [name, value] : flags) {
      if (!value.empty()) words.insert(words.end(), {"--" + name, value});
    }
    return words;
  }

  std::set<std::string> files() const {
    std::set<std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(scratch_.path()))
      all.insert(entry.path().string());
    return all;
  }

  void expect_refused(const Words& words, const std::string& part,
                      const Environment& environment = {}) const {
    const auto before = files();
    Finished finished = run_walsh(words, environment);
    if (finished.err.starts_with("validation: core, ")) finished.err.erase(0, finished.err.find('\n') + 1);
    EXPECT_EQ(finished.status, 2) << finished.err;
    EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
    EXPECT_NE(finished.err.find(part), std::string::npos) << finished.err << "does not hold: " << part;
    EXPECT_EQ(finished.out, "");
    EXPECT_EQ(files(), before);
  }

  /// Changes the bytes of the model's weights.
  template <typename Change>
  void change_weights(Change&& change) const {
    std::string bytes = read_text(scratch_ / "model/model.safetensors");
    change(bytes);
    write_file(scratch_ / "model/model.safetensors", bytes);
  }
  void replace_in_weights(const std::string& from, const std::string& to) const {
    ASSERT_EQ(from.size(), to.size());
    change_weights([&](std::string& bytes) {
      const auto at = bytes.find(from);
      ASSERT_NE(at, std::string::npos) << from;
      bytes.replace(at, from.size(), to);
    });
  }
  void write_config(const Json& json) const { write_file(scratch_ / "model/config.json", json.dump()); }

  ScratchFolder scratch_;
};

TEST_F(BadInput, NoVulkanLoader) {
  fs::create_directory(scratch_ / "lib");
  for (const char* name : {"lib/libvulkan.so.1", "lib/libvulkan.so"})
    write_file(scratch_ / name, "not a library");
  const char* others = std::getenv("LD_LIBRARY_PATH");
  expect_refused(train(), "no Vulkan loader",
                 {{"LD_LIBRARY_PATH", path("lib") + (others ? ":" + std::string(others) : "")}});
}

TEST_F(BadInput, NoDevice) {
  expect_refused(train(), "no Vulkan",
                 {{"VK_DRIVER_FILES", "/nonexistent"}, {"VK_ICD_FILENAMES", "/nonexistent"}});
}

TEST_F(BadInput, DeviceIndexOutOfRange) { expect_refused(train({{"device", "99"}}), "99"); }

TEST_F(BadInput, DeviceNameUnknown) { expect_refused(train({{"device", "no such card"}}), "no such card"); }

TEST_F(BadInput, ModelFolderMissing) { expect_refused(train({{"model", path("absent")}}), "absent"); }

TEST_F(BadInput, ModelWithoutConfiguration) {
  fs::remove(scratch_ / "model/config.json");
  expect_refused(train(), "config.json");
}

TEST_F(BadInput, ModelWithoutWeights) {
  fs::remove(scratch_ / "model/model.safetensors");
  expect_refused(train(), "safetensors");
}

TEST_F(BadInput, TextWithoutTokenizer) {
  write_file(scratch_ / "text.txt", std::string(200, 'a'));
  expect_refused(train({{"data", path("text.txt")}}), "tokenizer");
}

TEST_F(BadInput, TruncatedSafetensors) {
  change_weights([](std::string& bytes) { bytes.resize(bytes.size() - 100); });
  expect_refused(train(), "model.safetensors");
}

TEST_F(BadInput, HeaderLengthBeyondTheFile) {
  change_weights([](std::string& bytes) { bytes[6] = 1; });
  expect_refused(train(), "model.safetensors");
}

TEST_F(BadInput, TensorOfWrongShape) {
  replace_in_weights("[96,64]", "[64,96]");
  expect_refused(train(), "96");
}

TEST_F(BadInput, TensorOfUnknownType) {
  replace_in_weights("\"F32\"", "\"Q77\"");
  expect_refused(train(), "Q77");
}

TEST_F(BadInput, TensorMissing) {
  replace_in_weights("model.norm.weight", "model.nOrm.weight");
  expect_refused(train(), "model.norm.weight");
}

TEST_F(BadInput, UnsupportedArchitectureIsNamed) {
  write_config(tiny_config("gpt_neox"));
  expect_refused(train(), "gpt_neox");
}

TEST_F(BadInput, TokenizerBeyondTheVocabulary) {
  write_file(scratch_ / "model/tokenizer.json", byte_tokenizer_json().dump());  // 257 ids, the model has 96
  write_file(scratch_ / "text.txt", std::string(200, 'a'));
  expect_refused(train({{"data", path("text.txt")}}), "vocabulary");
}

TEST_F(BadInput, EmptyDataSet) {
  write_file(scratch_ / "empty.jsonl", "");
  expect_refused(train({{"data", path("empty.jsonl")}}), "empty.jsonl");
}

TEST_F(BadInput, LineThatIsNotJson) {
  write_file(scratch_ / "bad.jsonl", "{\"tokens\": [1, 2, 3]}\n{\"tokens\": [1, 2\n");
  expect_refused(train({{"data", path("bad.jsonl")}}), "bad.jsonl:2");
}

TEST_F(BadInput, TextWithoutASingleSequence) {
  const std::string shipped = (source_dir() / "models/walsh-tiny").string();
  write_file(scratch_ / "short.txt", "There was once a mouse.\n");
  expect_refused(train({{"model", shipped}, {"data", path("short.txt")}, {"sequence-length", "64"}}),
                 "less than one sequence");
}

TEST_F(BadInput, GroupSizeThatDoesNotDivide) { expect_refused(train({{"group-size", "48"}}), "48"); }

TEST_F(BadInput, WidthWithoutHadamardConstruction) {
  Json json = tiny_config();
  json["intermediate_size"] = 66;
  write_tiny_model(scratch_ / "model", json, 1);
  expect_refused(train({{"group-size", "-1"}}), "66");
}

TEST_F(BadInput, RankBeyondTheWeights) { expect_refused(train({{"rank", "64"}}), "rank 64"); }

TEST_F(BadInput, NotEnoughDeviceMemory) {
  Json json = read_json(source_dir() / "models/Llama-3.1-8B/config.json");
  json["num_hidden_layers"] = 2000;  // more than any device has
  fs::create_directory(scratch_ / "huge");
  write_file(scratch_ / "huge/config.json", json.dump());
  write_token_rows(scratch_ / "long.jsonl", 2, 4097, 3);
  expect_refused(train({{"model", path("huge")},
                        {"random-weights", "1"},
                        {"data", path("long.jsonl")},
                        {"sequence-length", "4096"},
                        {"group-size", "64"}}),
                 "not enough device memory");
}

TEST_F(BadInput, OutputFolderThatIsNotARun) {
  fs::create_directory(scratch_ / "run");
  expect_refused(train(), "not a run");
  Words resume = train();
  resume.emplace_back("--resume");
  expect_refused(resume, "nothing to resume");
}

TEST_F(BadInput, UnknownFlagsAndNames) {
  expect_refused(train({{"colour", "red"}}), "--colour");
  expect_refused(train({{"set", "qwha.colour=red"}}), "colour");
  expect_refused(train({{"method", "magic"}}), "magic");
  expect_refused({"walk"}, "walk");
}

// What needs a run: made once, 1 step of a model of a few thousand weights.
TEST_F(BadInput, AfterARun) {
  const Finished made = run_walsh(train());
  ASSERT_EQ(made.status, 0) << made.err;

  // The folder is taken.
  expect_refused(train(), "--resume");

  // --resume with changed settings names them.
  Words resume = train({{"rank", "3"}});
  resume.emplace_back("--resume");
  expect_refused(resume, "rank (2, now 3)");

  // An adapter of another base: another model, another base, a base that changed.
  const Words eval{"eval", "--data", path("data.jsonl"), "--sequence-length", "16", "--adapter", path("run")};
  const auto with_model = [&](const std::string& model) {
    Words words = eval;
    words.insert(words.end(), {"--model", model});
    return words;
  };
  EXPECT_EQ(run_walsh(with_model(path("model"))).status, 0);
  EXPECT_EQ(run_walsh(with_model(path("run/base"))).status, 0);
  write_tiny_model(scratch_ / "other", tiny_config(), 2);
  expect_refused(with_model(path("other")), "other");
  ASSERT_EQ(run_walsh({"quantize", "--model", path("other"), "--out", path("other-base"), "--bits", "2",
                       "--group-size", "32"})
                .status,
            0);
  expect_refused(with_model(path("other-base")), "other-base");
  fs::copy(scratch_ / "other-base/model.safetensors", scratch_ / "run/base/model.safetensors",
           fs::copy_options::overwrite_existing);
  expect_refused(with_model(path("model")), "changed");
  resume = train();
  resume.emplace_back("--resume");
  expect_refused(resume, "base");
}

TEST_F(BadInput, AnAdapterOfRandomWeightsKnowsItsSeed) {
  fs::remove(scratch_ / "model/model.safetensors");
  const Finished made = run_walsh(train({{"random-weights", "1"}}));
  ASSERT_EQ(made.status, 0) << made.err;
  Words eval{"eval",   "--model",          path("model"),       "--adapter", path("run"),
             "--data", path("data.jsonl"), "--sequence-length", "16",        "--random-weights"};
  eval.emplace_back("1");
  EXPECT_EQ(run_walsh(eval).status, 0);
  eval.back() = "2";
  expect_refused(eval, "not the model");
}

}  // namespace
}  // namespace walsh::test

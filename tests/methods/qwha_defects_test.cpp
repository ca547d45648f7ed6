// The defects of the published QWHA code that a test can hold off, one test each. Those that other tests hold
// off already: a valid merge (Llama.TheAdapterComputesTheMergedWeight), budgets beyond a row, zero errors and
// empty channels (AdaAlloc.*), a base rounded again at c = 0 (Llama.CoefficientsOfZeroLeaveTheBaseBitForBit),
// random positions from a permutation of all entries
// (QwhaInit.RandomSupportsFollowTheSeedAndCoverAllColumns).
#include <gtest/gtest.h>

#include "calibrate/initialise.h"
#include "io/adapter.h"
#include "methods/adaalloc.h"
#include "methods/qwha.h"
#include "tests/support/gpu.h"
#include "tests/support/scratch.h"
#include "tests/support/tiny_model.h"
#include "train/calibration_data.h"
#include "train/evaluate.h"
#include "train/opened_model.h"
#include "train/run_folder.h"
#include "train/trainer.h"

namespace walsh::test {
namespace {

namespace fs = std::filesystem;

// Keeps the adapter as it is on disk when the training begins.
struct ReadAtStart final : TrainListener {
  explicit ReadAtStart(fs::path folder) : run(std::move(folder)) {}
  void say(const std::string& line) override {
    if (line.starts_with("training:")) start = read_adapter(run / "adapter");
  }
  void step(const Step&) override {}
  fs::path run;
  Adapter start;
};

class QwhaDefects : public testing::Test {
 protected:
  QwhaDefects() {
    write_tiny_model(scratch_ / "model", tiny_config("qwen2"), 1);
    write_token_rows(scratch_ / "data.jsonl", 6, 17, 2);
    options_.model = (scratch_ / "model").string();
    options_.data = (scratch_ / "data.jsonl").string();
    options_.out = (scratch_ / "run").string();
    options_.bits = 2;
    options_.group_size = 32;
    options_.rank = 2;
    options_.steps = 3;
    options_.sequence_length = 16;
    options_.batch_size = 2;
    options_.learning_rate = 1e-3;
    options_.calibration_sequences = 4;
  }
  Adapter train_and_read_start() const {
    ReadAtStart listener(options_.out);
    const std::atomic<bool> stop{false};
    train(device(), options_, false, listener, stop);
    return listener.start;
  }
  Evaluation evaluate(const std::string& adapter) const {
    const OpenedModel opened(options_.model, adapter, std::nullopt);
    TextEncoder encoder(options_.model, 96);
    const auto session = opened.load(device(), 32);
    return Evaluator(device(), *session, 2, 16).run(load_dataset(options_.data, "train", encoder));
  }

  ScratchFolder scratch_;
  RunOptions options_;
};

// 1: training rebuilt values and indices in a dictionary, and saved an unrelated draw of indices.
TEST_F(QwhaDefects, TrainedAdaptersKeepTheIndicesThatTheyWereTrainedAt) {
  const Adapter start = train_and_read_start(), end = read_adapter(scratch_ / "run/adapter");
  ASSERT_EQ(start.layers.size(), 14u);
  ASSERT_EQ(end.layers.size(), start.layers.size());
  const OpenedModel opened(options_.model, options_.out, std::nullopt);
  const auto session = opened.load(device(), 32);
  for (std::size_t i = 0; i < end.layers.size(); ++i) {
    const AdapterLayer& layer = end.layers[i];
    EXPECT_EQ(layer.row_ptr, start.layers[i].row_ptr);
    EXPECT_EQ(layer.col, start.layers[i].col);
    EXPECT_NE(layer.values, start.layers[i].values) << "nothing was trained";
    for (const QwhaAdapter& loaded : dynamic_cast<QwhaMethod&>(session->method()).adapters()) {
      if (loaded.name != layer.name) continue;
      auto col = device().download<std::uint16_t>(loaded.support.columns_of);
      col.resize(layer.col.size());
      EXPECT_EQ(device().download<std::uint32_t>(loaded.support.row_ptr), layer.row_ptr);
      EXPECT_EQ(col, layer.col);
      EXPECT_EQ(read(loaded.values.value), layer.values);
    }
  }
}

// 2: the count of coefficients was overwritten, after which loading failed.
TEST_F(QwhaDefects, AdaptersSurviveRoundsOfSavingAndLoading) {
  train_and_read_start();
  const auto base = open_model(scratch_ / "run/base");
  fs::path from = scratch_ / "run/adapter";
  for (int round = 0; round < 3; ++round) {
    Session session(base->config(), base->format(), options_, 32, true);
    session.method().read(from, base_reader(*base));
    session.commit(device(), false);
    session.load(device(), *base);
    const fs::path to = scratch_ / ("round-" + std::to_string(round));
    fs::create_directories(to);
    session.method().save(to, device());
    for (const char* file : {"adapter_model.safetensors", "adapter_config.json"})
      EXPECT_EQ(read_text(to / file), read_text(scratch_ / "run/adapter" / file))
          << file << ", round " << round;
    from = to;
  }
}

// 3: the base layer's bias was dropped in the forward.
TEST_F(QwhaDefects, BiasesOfTheBaseCount) {
  train_and_read_start();
  const double with_bias = evaluate(options_.out).loss;
  // The same base without its biases.
  const fs::path weights = scratch_ / "model/model.safetensors";
  const auto floats = to_floats(Safetensors::open(weights).at("model.layers.0.self_attn.v_proj.bias"));
  const std::string bias(reinterpret_cast<const char*>(floats.data()), floats.size() * sizeof(float));
  for (const fs::path& file : {weights, scratch_ / "run/base/model.safetensors"}) {
    std::string text = read_text(file);
    const auto at = text.find(bias);
    ASSERT_NE(at, std::string::npos) << file;
    write_file(file, text.replace(at, bias.size(), std::string(bias.size(), '\0')));
  }
  EXPECT_GT(std::abs(evaluate(options_.out).loss - with_bias), 1e-3);
}

// 5: calibration on the test split of the evaluation text, padded with zeros.
TEST_F(QwhaDefects, CalibrationIsWholePiecesOfTheTrainingText) {
  TextEncoder encoder(options_.model, 96);
  const Dataset data = load_dataset(options_.data, "train", encoder);
  std::vector<std::uint32_t> text;
  for (const Document& document : data.documents)
    text.insert(text.end(), document.ids.begin(), document.ids.end());
  ASSERT_NE(text.size() % 16, 0u) << "the tail should be incomplete here";
  RunOptions all = options_;
  all.calibration_sequences = 1000;
  all.calibration_length = 16;
  const auto sequences = calibration_text(all, 64, data, encoder).sequences;
  ASSERT_EQ(sequences.size(), text.size() / 16);
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const auto first = text.begin() + static_cast<std::ptrdiff_t>(16 * i);
    EXPECT_EQ(sequences[i], std::vector<std::uint32_t>(first, first + 16));
  }
}

// 6: group sizes other than 64 were saved under a name that loading did not look for.
TEST_F(QwhaDefects, TheGroupSizeIsInTheAdapter) {
  train_and_read_start();
  const Adapter adapter = read_adapter(scratch_ / "run/adapter");
  EXPECT_EQ(adapter.group_size, 32u);
  EXPECT_EQ(adapter.bits, 2u);
  EXPECT_GT(evaluate(options_.out).tokens, 0u);
}

// 7: budgets overflowed, and channels could end without a coefficient.
TEST_F(QwhaDefects, EveryChannelHasCoefficientsAndTheBudgetIsSpent) {
  for (const AdapterLayer& layer : train_and_read_start().layers) {
    EXPECT_EQ(layer.values.size(), qwha_budget(2, layer.rows, layer.columns)) << layer.name;
    for (std::uint32_t i = 0; i < layer.rows; ++i) {
      const std::uint32_t count = layer.row_ptr[i + 1] - layer.row_ptr[i];
      EXPECT_GE(count, 2u) << layer.name << " " << i;
      EXPECT_LE(count, layer.columns) << layer.name << " " << i;
    }
  }
}

// 11: a dense weight a layer and a dense gradient were kept.
TEST_F(QwhaDefects, NothingOfTheSizeOfAWeightIsAlive) {
  Json json = tiny_config();
  json["hidden_size"] = 1024;
  json["intermediate_size"] = 4096;
  const ModelConfig config = parse_config(json, "test");
  RunOptions options;
  options.rank = 1;
  const Session session(config, {.dense = DType::bf16, .bits = 2, .group_size = 64}, options, 1, true);
  const PassMemory pass(config, 1, 1, Pass::training);
  const std::uint64_t alive = session.method_bytes() + session.parameters().value_bytes() +
                              session.parameters().state_bytes() + pass.arena.bytes();
  EXPECT_LT(alive, std::uint64_t{1024} * 4096 * 2);
  EXPECT_LT(session.weights_bytes(), std::uint64_t{1024} * 4096 * 3 * 2 * 2);  // less than 16 bits a weight
}

// 12: a quantised folder that is missing was silently replaced by another quantisation.
TEST_F(QwhaDefects, AMissingBaseIsRefused) {
  train_and_read_start();
  fs::rename(scratch_ / "run/base", scratch_ / "elsewhere");
  EXPECT_TRUE(one_line_with(refusal_of([&] { evaluate(options_.out); }), "base"));
  RunOptions unknown = options_;
  unknown.quantizer = "something";
  EXPECT_TRUE(one_line_with(refusal_of([&] { resolve(unknown); }), "something"));
}

}  // namespace
}  // namespace walsh::test

// Whole runs on a model of a few thousand weights: same bits from the same seed, after a resume and after a
// kill; accumulation; checkpoints; memory; a loss that is not finite.
#include "train/trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "data/datasets.h"
#include "data/packing.h"
#include "io/adapter.h"
#include "tests/support/gpu.h"
#include "tests/support/paths.h"
#include "tests/support/process.h"
#include "tests/support/run_log.h"
#include "tests/support/scratch.h"
#include "tests/support/setting.h"
#include "tests/support/tiny_model.h"
#include "train/precision.h"
#include "train/run_folder.h"

namespace walsh::test {
namespace {

namespace fs = std::filesystem;

// Asks for a stop after a step; 0: never.
struct StopAfter final : TrainListener {
  explicit StopAfter(std::uint32_t last = 0) : last_step(last) {}
  void say(const std::string&) override {}
  void step(const Step& s) override {
    if (s.step == last_step) stop = true;
  }
  std::uint32_t last_step;
  std::atomic<bool> stop{false};
};

class Training : public testing::Test {
 protected:
  Training() {
    write_tiny_model(scratch_ / "model", tiny_config(), 1);
    write_token_rows(scratch_ / "data.jsonl", 12, 17, 2);
  }

  RunOptions options(const std::string& out, std::uint32_t steps) const {
    RunOptions o;
    o.model = (scratch_ / "model").string();
    o.data = (scratch_ / "data.jsonl").string();
    o.out = (scratch_ / out).string();
    o.bits = 2;
    o.group_size = 32;
    o.rank = 2;
    o.steps = steps;
    o.sequence_length = 16;
    o.batch_size = 2;
    o.learning_rate = 1e-3;
    o.precision = "fp32";  // on any device
    o.calibration_sequences = 4;
    o.seed = 7;
    return o;
  }

  TrainReport run(const RunOptions& o, bool resume = false, std::uint32_t stop_after = 0) const {
    StopAfter listener(stop_after);
    return train(device(), o, resume, listener, listener.stop);
  }

  /// The loss and gradient norm of every step, as they are written.
  std::vector<std::string> losses(const std::string& out) const {
    const auto steps = logged_steps(scratch_ / out, {"step"});
    for (std::size_t i = 0; i < steps.size(); ++i) EXPECT_EQ(steps[i], std::to_string(i + 1));
    return logged_steps(scratch_ / out, {"loss", "grad_norm", "learning_rate", "tokens"});
  }
  void expect_same_adapter(const std::string& a, const std::string& b) const {
    for (const char* file : {"adapter_model.safetensors", "adapter_config.json"})
      EXPECT_EQ(read_text(scratch_ / a / "adapter" / file), read_text(scratch_ / b / "adapter" / file))
          << file;
  }
  std::vector<std::string> checkpoints(const std::string& out) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(scratch_ / out / "checkpoints"))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }
  std::vector<double> values(const std::string& out) const {
    std::vector<double> all;
    for (const AdapterLayer& layer : read_adapter(scratch_ / out / "adapter").layers)
      all.insert(all.end(), layer.values.begin(), layer.values.end());
    return all;
  }

  ScratchFolder scratch_;
};

TEST_F(Training, TenStepsAfterAResumeAreTheSameBits) {
  const TrainReport straight = run(options("straight", 20));
  const TrainReport first = run(options("resumed", 20), false, 10);
  EXPECT_TRUE(first.interrupted);
  EXPECT_EQ(first.steps, 10u);
  const TrainReport second = run(options("resumed", 20), true);
  EXPECT_EQ(second.steps, 20u);
  EXPECT_EQ(second.loss_first, straight.loss_first);
  EXPECT_EQ(second.tokens, straight.tokens);
  const auto expected = losses("straight");
  ASSERT_EQ(expected.size(), 20u);
  EXPECT_EQ(losses("resumed"), expected);
  expect_same_adapter("straight", "resumed");
  EXPECT_LT(straight.loss_last, straight.loss_first);
}

TEST_F(Training, CodesChosenWithTheAdapterLeaveLessError) {
  RunOptions kept = options("kept", 2), chosen = options("chosen", 2);
  kept.set["qwha.recode"] = "0";
  for (RunOptions* o : {&kept, &chosen}) o->calibration_sequences = 12;
  run(kept);
  run(chosen, false, 1);
  run(chosen, true);
  const auto error_left = [&](const std::string& out) {
    double sum = 0;
    for (const Json& layer : read_json(scratch_ / out / "layers.json"))
      sum += std::log(layer["error"].get<double>() / layer["error_before"].get<double>());
    return sum;
  };
  EXPECT_LT(error_left("chosen"), error_left("kept") - 0.1);
  // The base in the run is the one that the adapter was fitted to, and everything but codes is as it was.
  const auto base = open_model(scratch_ / "chosen" / "base"), before = open_model(scratch_ / "kept" / "base");
  EXPECT_EQ(base_fingerprint(*base), read_base(scratch_ / "chosen").fingerprint);
  EXPECT_TRUE(original_matches(*base, *before));
  std::size_t changed = 0;
  for (const WeightInfo& weight : list_weights(base->config())) {
    if (weight.kind != WeightKind::linear) continue;
    const auto read = [&](const WeightSource& source) {
      return source.quantized(weight.name.substr(0, weight.name.rfind('.')),
                              static_cast<std::uint32_t>(weight.shape[0]),
                              static_cast<std::uint32_t>(weight.shape[1]));
    };
    EXPECT_EQ(read(*base).grid, read(*before).grid) << weight.name;
    changed += read(*base).codes != read(*before).codes;
  }
  EXPECT_EQ(changed, 14u);
}

TEST_F(Training, CodesOfABaseThatWasGivenStay) {
  run(options("first", 1));
  RunOptions o = options("second", 1);
  o.model = (scratch_ / "first" / "base").string();
  o.bits = 0;
  run(o);
  EXPECT_EQ(read_base(scratch_ / "second").fingerprint, read_base(scratch_ / "first").fingerprint);
  o.out = (scratch_ / "third").string();
  o.set["qwha.recode"] = "2";
  EXPECT_THROW(run(o), Error);
  EXPECT_FALSE(fs::exists(o.out));
}

TEST_F(Training, AResumedRunKeepsTheWaysThatWereMeasured) {
  const Setting cache("XDG_CACHE_HOME", (scratch_ / "cache").string());
  RunOptions o = options("measured", 4);
  o.deterministic_plan = false;
  run(o, false, 2);
  RunOptions before;
  read_options(before, scratch_ / "measured" / "config.yaml");
  ASSERT_TRUE(before.set.contains("qwha.product") && before.set.contains("qwha.gradient"));
  run(o, true);
  EXPECT_EQ(losses("measured").size(), 4u);
  RunOptions straight = options("straight", 4);
  straight.set = before.set;
  run(straight);
  EXPECT_EQ(losses("measured"), losses("straight"));
}

TEST_F(Training, ATraceHoldsTheScopesAndDispatchesOfAStep) {
  RunOptions o = options("traced", 2);
  o.trace = (scratch_ / "trace.json").string();
  run(o);
  run(options("plain", 2));
  EXPECT_EQ(losses("traced"), losses("plain"));
  if (device().info().limits.timestamp_nanoseconds == 0) GTEST_SKIP() << "no timestamps";
  double scopes = 0, dispatches = 0;
  std::set<std::string> names;
  const Json trace = read_json(o.trace);
  for (const Json& event : trace["traceEvents"]) {
    if (event["ph"] != "X") continue;
    EXPECT_GE(event["ts"].get<double>(), 0);
    (event["tid"] == 0 ? scopes : dispatches) += event["dur"].get<double>();
    names.insert(event["name"]);
  }
  for (const char* name : {"forward", "loss", "backward", "update", "adamw"})
    EXPECT_TRUE(names.contains(name)) << name;
  EXPECT_GT(dispatches, 0);
  EXPECT_GE(scopes, 0.5 * dispatches);
}

TEST_F(Training, SameSeedSameBitsAndAnotherSeedOthers) {
  run(options("a", 3));
  run(options("b", 3));
  EXPECT_EQ(losses("a"), losses("b"));
  expect_same_adapter("a", "b");
  RunOptions other = options("c", 3);
  other.seed = 8;
  run(other);
  EXPECT_NE(losses("a"), losses("c"));
}

TEST_F(Training, AKilledRunGoesOnFromItsLastCheckpoint) {
  RunOptions o = options("run", 8);
  o.save_every = 2;
  o.keep = 3;
  run(o);
  EXPECT_EQ(checkpoints("run"),
            (std::vector<std::string>{"step-00000004", "step-00000006", "step-00000008"}));
  const auto expected = losses("run");
  const std::string adapter = read_text(scratch_ / "run/adapter/adapter_model.safetensors");
  // As a kill between step 7 and 8 leaves it: half a checkpoint, half a line.
  const fs::path folder = scratch_ / "run/checkpoints";
  fs::remove_all(folder / "step-00000008");
  fs::rename(folder / "step-00000006", folder / "step-00000006.partial");
  fs::resize_file(folder / "step-00000006.partial/state.safetensors", 100);
  write_file(scratch_ / "run/adapter/adapter_model.safetensors.partial", "half");
  std::string metrics = read_text(scratch_ / "run/metrics.jsonl");
  write_file(scratch_ / "run/metrics.jsonl", metrics.substr(0, metrics.find("\"step\":8") + 20));

  const TrainReport report = run(o, true);
  EXPECT_EQ(report.steps, 8u);
  EXPECT_EQ(losses("run"), expected);
  EXPECT_EQ(read_text(scratch_ / "run/adapter/adapter_model.safetensors"), adapter);
  EXPECT_EQ(checkpoints("run"),
            (std::vector<std::string>{"step-00000004", "step-00000006", "step-00000008"}));
}

TEST_F(Training, KeepRemovesOlderCheckpoints) {
  RunOptions o = options("run", 3);
  o.save_every = 1;
  o.keep = 1;
  run(o);
  EXPECT_EQ(checkpoints("run"), (std::vector<std::string>{"step-00000003"}));
}

TEST_F(Training, AccumulationIsALargerBatch) {
  RunOptions large = options("large", 4), small = options("small", 4);
  small.batch_size = 1;
  small.grad_accumulation = 2;
  run(large);
  run(small);
  const auto loss = [&](const std::string& out) {
    std::vector<double> list;
    for (const std::string& line : losses(out)) list.push_back(std::stod(line));
    return list;
  };
  const auto a = loss("large"), b = loss("small");
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-5 * a[i]) << i;
  // Both sum the same gradients in another order; AdamW moves a value by at most the rate a step.
  const auto c = values("large"), d = values("small");
  ASSERT_EQ(c.size(), d.size());
  double square = 0;
  for (std::size_t i = 0; i < c.size(); ++i) square += (c[i] - d[i]) * (c[i] - d[i]);
  EXPECT_LT(std::sqrt(square / static_cast<double>(c.size())), 0.01 * 4 * large.learning_rate);
}

TEST_F(Training, MomentsInEightBitsLearnAndResumeToTheSameBits) {
  RunOptions straight = options("straight", 20), resumed = options("resumed", 20),
             plain = options("plain", 20);
  straight.optimizer = resumed.optimizer = "adamw8";
  const TrainReport full = run(plain), report = run(straight);
  run(resumed, false, 10);
  run(resumed, true);
  EXPECT_EQ(losses("resumed"), losses("straight"));
  expect_same_adapter("straight", "resumed");
  EXPECT_LT(report.planned_bytes, full.planned_bytes);
  EXPECT_LT(report.loss_last, report.loss_first);
  EXPECT_NEAR(report.loss_last, full.loss_last, 0.05 * (full.loss_first - full.loss_last));
  resumed.out = (scratch_ / "plain").string();
  resumed.optimizer = "adamw8";
  EXPECT_THROW(run(resumed, true), Error) << "another optimizer's run";
}

// Four layers through two slots, forwards, backwards and again where activations are computed twice; an
// embedding of its own stays on the host, one that is the head too does not.
TEST_F(Training, OffloadedWeightsGiveTheSameBits) {
  for (const bool tied : {true, false}) {
    Json json = tiny_config();
    json["num_hidden_layers"] = 4;
    json["tie_word_embeddings"] = tied;
    fs::remove_all(scratch_ / "model");
    write_tiny_model(scratch_ / "model", json, 1);
    const std::string name = tied ? "tied" : "untied";
    for (const char* checkpointing : {"none", "full"}) {
      RunOptions o = options(name + checkpointing, 3);
      o.checkpointing = checkpointing;
      const TrainReport resident = run(o);
      o.out += "-streamed";
      o.offload = true;
      const TrainReport streamed = run(o, false, 2);
      EXPECT_TRUE(streamed.interrupted);
      run(o, true);
      EXPECT_EQ(losses(name + checkpointing + "-streamed"), losses(name + checkpointing));
      expect_same_adapter(name + checkpointing, name + checkpointing + "-streamed");
      EXPECT_EQ(read_text(scratch_ / (name + checkpointing) / "probe.json"),
                read_text(scratch_ / (name + checkpointing + "-streamed") / "probe.json"));
      EXPECT_LT(streamed.planned_bytes, resident.planned_bytes);
    }
  }
}

TEST_F(Training, PrecisionIsFp32OrNearIt) {
  RunOptions asked = options("asked", 4);
  asked.precision = "fp16";
  const TrainReport rounded = run(asked), plain = run(options("plain", 4));
  RunOptions written;
  read_options(written, scratch_ / "asked" / "config.yaml");
  if (!choose_precision(device().info(), "fp16").note.empty()) {  // no such matrices: the same bits
    EXPECT_EQ(written.precision, "fp32");
    EXPECT_EQ(losses("asked"), losses("plain"));
    return;
  }
  EXPECT_EQ(written.precision, "fp16");
  EXPECT_NE(losses("asked"), losses("plain"));
  // A loss of a few nats through some ten products, each off by 2^-10 of its terms at most.
  EXPECT_NEAR(rounded.loss_first, plain.loss_first, 10 * 0x1p-10 * plain.loss_first);
  EXPECT_NEAR(rounded.loss_last, plain.loss_last, 10 * 0x1p-10 * plain.loss_last);
}

TEST_F(Training, ALossThatIsNotFiniteStopsWithTheLastGoodCheckpoint) {
  RunOptions o = options("run", 6);
  o.learning_rate = 1e30;
  o.schedule = "constant";
  o.warmup = 0;
  std::string message;
  try {
    run(o);
  } catch (const Failure& failure) {
    message = failure.what();
  }
  EXPECT_TRUE(one_line_with(message, "step 2")) << message;
  EXPECT_TRUE(one_line_with(message, "checkpoints/step-00000000")) << message;
  const Finished finished = run_walsh(
      tiny_train_command(scratch_.path(), "again", {"--steps=6", "--learning-rate=1e30", "--warmup=0"}));
  EXPECT_EQ(finished.status, 1) << finished.err;
}

// The shipped model at 2 bits: two bits cost it a lot, the start takes most of it back, training more.
TEST_F(Training, TheShippedModelLearnsAtTwoBits) {
  RunOptions o = options("run", 4);
  o.model = (source_dir() / "models/walsh-tiny").string();
  const std::string text = read_text(source_dir() / "models/walsh-tiny/data/text/train.txt");
  o.data = (scratch_ / "text.txt").string();
  write_file(o.data, text.substr(0, 250));  // all of it in every step, so that losses of steps compare
  o.group_size = 64;
  o.rank = 2;
  o.sequence_length = 32;
  o.schedule = "constant";
  o.warmup = 0;
  TextEncoder encoder(o.model, 1024);
  const Dataset data = load_dataset(o.data, "train", encoder);
  o.batch_size = static_cast<std::uint32_t>(pack(data, o.sequence_length, o.seed).rows.size());
  const TrainReport report = run(o);
  EXPECT_LT(report.loss_last, 0.9 * report.loss_first);
}

TEST_F(Training, ARunStaysWithinFivePercentOfItsPlan) {
  const std::vector<std::string> shape{"--model",
                                       (source_dir() / "models/walsh-tiny").string(),
                                       "--bits",
                                       "2",
                                       "--rank",
                                       "2",
                                       "--batch-size",
                                       "2",
                                       "--sequence-length",
                                       "64",
                                       "--json",
                                       "--quiet"};
  std::vector<std::string> plan{"plan"}, train{"train"};
  plan.insert(plan.end(), shape.begin(), shape.end());
  train.insert(train.end(), shape.begin(), shape.end());
  const std::string data = (source_dir() / "models/walsh-tiny/data/text").string();
  for (const std::string& word :
       {std::string("--data"), data, std::string("--eval-data"), (scratch_ / "eval.txt").string(),
        std::string("--out"), (scratch_ / "run").string(), std::string("--steps"), std::string("1"),
        std::string("--calibration-sequences"), std::string("2")})
    train.push_back(word);
  write_file(scratch_ / "eval.txt", "There was once a mouse called Tilly, who was very brave.\n");
  const Finished planned = run_walsh(plan), trained = run_walsh(train);
  ASSERT_EQ(planned.status, 0) << planned.err;
  ASSERT_EQ(trained.status, 0) << trained.err;
  const auto expected = Json::parse(planned.out)["peak_bytes"].get<double>();
  const auto peak = Json::parse(trained.out)["peak_bytes"].get<double>();
  EXPECT_NEAR(peak, expected, 0.05 * expected);
}

}  // namespace
}  // namespace walsh::test

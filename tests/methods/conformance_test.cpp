// What every method must do, whatever it is: gradients that are the slope of the loss, gradients that add up,
// a preparation that changes nothing the second time, a start that is the plain model where the method says
// so, runs that are the same bits again and after a resume, a loss that falls on the shipped model, and an
// adapter that evaluation loads to what the training evaluated. Under WALSH_VALIDATION=1 none of it may draw
// a message.
//
// A method of the registry takes part with a row of `variants`, or the first test fails.
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <sstream>

#include "data/packing.h"
#include "methods/registry.h"
#include "tests/support/model_passes.h"
#include "tests/support/paths.h"
#include "tests/support/run_log.h"
#include "tests/support/scratch.h"
#include "train/evaluate.h"
#include "train/opened_model.h"
#include "train/trainer.h"

namespace walsh::test {
namespace {

namespace fs = std::filesystem;

struct Variant {
  const char* name;
  const char* method;
  std::uint32_t base_bits = 0;  // of the base; 0: dense
  int group_size = 32;
  std::map<std::string, std::string> set{};
  std::uint32_t grid_bits = 0;  // of a method with a grid of its own
  bool identity = false;        // the start is the plain model, bit for bit
  bool smooth = true;           // no rounding of what is trained in the forward: the loss has slopes
  float spread = 0;             // added to every value before slopes are taken: a start of zeros has none
  double learning_rate = 1e-3;  // of the runs
};

void PrintTo(const Variant& variant, std::ostream* out) {
  *out << variant.name;
}  // test names must not hold addresses

const std::vector<Variant>& variants() {
  static const std::vector<Variant> list = {
      {.name = "qwha", .method = "qwha", .base_bits = 2, .spread = 2e-3f},
      {.name = "qwha_zero",
       .method = "qwha",
       .base_bits = 4,
       .set = {{"qwha.init", "zero"}},
       .identity = true,
       .spread = 2e-3f},
      {.name = "sparse",
       .method = "qwha",
       .base_bits = 2,
       .set = {{"qwha.transform", "none"}},
       .spread = 2e-3f},
      {.name = "qwha_weights",
       .method = "qwha",
       .base_bits = 3,
       .set = {{"qwha.product", "weights"}, {"qwha.gradient", "dense"}},
       .spread = 2e-3f},
      {.name = "sparse_weights",
       .method = "qwha",
       .base_bits = 2,
       .set = {{"qwha.transform", "none"}, {"qwha.product", "weights"}},
       .spread = 2e-3f},
      {.name = "qwha_dense_gradient",
       .method = "qwha",
       .base_bits = 4,
       .set = {{"qwha.gradient", "dense"}},
       .spread = 2e-3f},
      {.name = "qwha_gathered_gradient",
       .method = "qwha",
       .base_bits = 3,
       .set = {{"qwha.gradient", "gathered"}, {"qwha.block_rows", "16"}},
       .spread = 2e-3f},
      {.name = "peqa_group", .method = "peqa", .base_bits = 3, .identity = true, .smooth = false},
      {.name = "peqa_channel",
       .method = "peqa",
       .base_bits = 4,
       .group_size = -1,
       .identity = true,
       .smooth = false},
      {.name = "peqa_offset",
       .method = "peqa",
       .base_bits = 4,
       .set = {{"peqa.train_offset", "on"}},
       .smooth = false},
      {.name = "lora", .method = "lora", .identity = true, .spread = 0.05f, .learning_rate = 3e-3},
      {.name = "lora_quantized",
       .method = "lora",
       .base_bits = 4,
       .identity = true,
       .spread = 0.05f,
       .learning_rate = 3e-3},
      {.name = "lora_cloq",
       .method = "lora",
       .base_bits = 2,
       .set = {{"lora.init", "cloq"}},
       .spread = 0.05f},
      {.name = "full", .method = "full", .identity = true},
      {.name = "l4q", .method = "l4q", .grid_bits = 3, .smooth = false, .learning_rate = 1e-3},
      {.name = "l4q_symmetric",
       .method = "l4q",
       .group_size = -1,
       .set = {{"l4q.train_offset", "off"}, {"l4q.grad_scale", "lsq"}},
       .grid_bits = 4,
       .smooth = false,
       .learning_rate = 1e-3},
      // Adapters in units of the grid move codes only at a large rate.
      {.name = "lr_qat",
       .method = "lr-qat",
       .set = {{"lr-qat.scale_rate", "0.02"}},
       .grid_bits = 3,
       .smooth = false,
       .learning_rate = 0.05},
      {.name = "lr_qat_codes",
       .method = "lr-qat",
       .group_size = -1,
       .set = {{"lr-qat.phi", "int"}, {"lr-qat.asymmetric", "on"}, {"lr-qat.scale_rate", "0.02"}},
       .grid_bits = 2,
       .smooth = false,
       .learning_rate = 0.05},
  };
  return list;
}

TEST(Conformance, EveryMethodTakesPart) {
  for (const MethodEntry* method : methods()) {
    EXPECT_TRUE(std::ranges::any_of(variants(), [&](const Variant& v) { return v.method == method->name; }))
        << method->name;
  }
}

std::vector<std::uint32_t> draw_ids(std::uint32_t count, std::uint64_t seed) {
  Philox random(seed, 9);
  std::vector<std::uint32_t> ids;
  for (std::uint32_t i = 0; i < count; ++i) ids.push_back(random.below(96));
  return ids;
}

double largest(const std::vector<float>& values) {
  double most = 0;
  for (const float value : values) most = std::max(most, std::abs(static_cast<double>(value)));
  return most;
}

class Conformance : public testing::TestWithParam<Variant> {
 protected:
  const Variant& v() const { return GetParam(); }

  RunOptions options() const {
    RunOptions o;
    o.method = v().method;
    const MethodDefaults& defaults = find_method(o.method).defaults;
    o.rank = defaults.rank > 0 ? 2 : 0;
    o.alpha = 2 * defaults.alpha_per_rank * o.rank;  // a scale other than 1
    o.bits = v().base_bits + v().grid_bits;
    o.group_size = v().group_size;
    o.set = v().set;
    o.learning_rate = v().learning_rate;
    o.seed = 7;
    return o;
  }

  /// A model of every kind of weight: biases, head norms, a tied head.
  static Json config() { return tiny_config("qwen3"); }
  LivelySource base() const { return {config(), 5, v().base_bits, v().group_size}; }
  LivelySource original() const { return {config(), 5, 0}; }

  std::unique_ptr<DeviceModel> model() const {
    const LivelySource source = original();
    return std::make_unique<DeviceModel>(base(), options(), &source);
  }
};

// Methods whose forward rounds what is trained have no slopes; their own tests have their gradients.
class SmoothConformance : public Conformance {
 public:
  static std::vector<Variant> variants() {
    std::vector<Variant> list = test::variants();
    std::erase_if(list, [](const Variant& variant) { return !variant.smooth; });
    return list;
  }
};

// Along its own gradient the loss must change by the gradient's squared norm a unit of step. A central
// difference of fp32 losses: the step moves the loss by about 3e-3 either way, so rounding (1e-6 in a mean
// loss near 5) is below 1e-3 of it and the third-order term of the same order.
TEST_P(SmoothConformance, GradientsAreTheSlopeOfTheLoss) {
  const auto model = this->model();
  const Sequences batch({draw_ids(11, 1), draw_ids(3, 2), draw_ids(9, 3)});
  const auto parameters = model->session().parameters().all();
  ASSERT_GT(parameters.size(), 0u);
  Philox random(3, 1);
  for (const Parameter& p : parameters) {
    std::vector<float> values = read(p.value);
    for (float& value : values) value += v().spread * random.normal();
    device().upload(p.value, values);
  }
  const auto gradients = model->gradients(batch);
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    double square = 0;
    for (const float g : gradients[p]) square += static_cast<double>(g) * g;
    ASSERT_GT(square, 0) << parameters[p].name;
    const double step = 3e-3 / square;
    const std::vector<float> start = read(parameters[p].value);
    const auto loss_at = [&](double direction) {
      std::vector<float> moved = start;
      for (std::size_t i = 0; i < moved.size(); ++i)
        moved[i] = static_cast<float>(moved[i] + direction * step * gradients[p][i]);
      device().upload(parameters[p].value, moved);
      return model->forward(batch).loss;
    };
    const double slope = (loss_at(1) - loss_at(-1)) / (2 * step);
    device().upload(parameters[p].value, start);
    EXPECT_NEAR(slope / square, 1, 1e-2) << parameters[p].name;
  }
}

// Two passes of one sequence, the second on top of the first, and one pass of both.
TEST_P(Conformance, TwoMicroBatchesAreOneOfTwiceTheSize) {
  const auto model = this->model();
  const Sequences both({draw_ids(8, 1), draw_ids(8, 2)}), first({draw_ids(8, 1)}), second({draw_ids(8, 2)});
  const auto whole = model->gradients(both);
  model->gradients(first);
  const auto sum = model->gradients(second, true);
  for (std::size_t p = 0; p < whole.size(); ++p) {
    const double size = largest(whole[p]);
    for (std::size_t i = 0; i < whole[p].size(); ++i)
      ASSERT_NEAR(0.5 * sum[p][i], whole[p][i], 1e-4 * size)
          << model->session().parameters().all()[p].name << " " << i;
  }
}

TEST_P(Conformance, ActivationsComputedAgainGiveTheSameBits) {
  const auto model = this->model();
  const Sequences batch({draw_ids(11, 1), draw_ids(9, 3)});
  const auto kept = model->gradients(batch);
  EXPECT_EQ(model->gradients(batch, false, Pass::checkpointed), kept);
}

TEST_P(Conformance, PreparingTwiceChangesNothing) {
  const auto model = this->model();
  const Sequences batch({draw_ids(12, 4)});
  const auto once = model->forward(batch).logits;
  run([&](vk::Recorder& rec) { model->session().model().prepare(rec); });
  EXPECT_EQ(model->forward(batch).logits, once);
}

TEST_P(Conformance, TheStartIsThePlainModel) {
  const Sequences batch({draw_ids(12, 4)});
  DeviceModel plain(base());
  const auto expected = plain.forward(batch).logits;
  const auto started = model()->forward(batch).logits;
  if (v().identity) {
    EXPECT_EQ(started, expected);
  } else {  // a correction of it
    EXPECT_NE(started, expected);
  }
}

struct Listener final : TrainListener {
  explicit Listener(std::uint32_t last = 0) : last_step(last) {}
  void say(const std::string&) override {}
  void step(const Step& s) override {
    if (s.step == last_step) stop = true;
  }
  std::uint32_t last_step;
  std::atomic<bool> stop{false};
};

TrainReport run_training(const RunOptions& o, bool resume = false, std::uint32_t stop_after = 0) {
  Listener listener(stop_after);
  return train(device(), o, resume, listener, listener.stop);
}

std::string files_of(const fs::path& adapter) {
  std::string all;
  std::set<fs::path> names;
  for (const auto& entry : fs::directory_iterator(adapter)) names.insert(entry.path().filename());
  for (const fs::path& name : names) all += name.string() + read_text(adapter / name);
  return all;
}

TEST_P(Conformance, RunsAreTheSameBitsAgainAndAfterAResumeAndLoad) {
  ScratchFolder scratch;
  write_tiny_model(scratch / "model", config(), 1);
  write_token_rows(scratch / "data.jsonl", 12, 17, 2);
  RunOptions o = options();
  o.model = (scratch / "model").string();
  o.data = o.eval_data = (scratch / "data.jsonl").string();
  o.steps = 6;
  o.sequence_length = 16;
  o.batch_size = 2;
  o.calibration_sequences = 4;
  const auto in = [&](const char* out) {
    RunOptions own = o;
    own.out = (scratch / out).string();
    return own;
  };
  const TrainReport straight = run_training(in("straight"));
  run_training(in("again"));
  EXPECT_TRUE(run_training(in("resumed"), false, 3).interrupted);
  run_training(in("resumed"), true);
  const auto expected = logged_steps(scratch / "straight", {"loss", "grad_norm"});
  ASSERT_EQ(expected.size(), 6u);
  EXPECT_EQ(logged_steps(scratch / "again", {"loss", "grad_norm"}), expected);
  EXPECT_EQ(logged_steps(scratch / "resumed", {"loss", "grad_norm"}), expected);
  const std::string files = files_of(scratch / "straight/adapter");
  EXPECT_EQ(files_of(scratch / "again/adapter"), files);
  EXPECT_EQ(files_of(scratch / "resumed/adapter"), files);

  const OpenedModel opened(o.model, (scratch / "straight").string(), std::nullopt);
  TextEncoder encoder(o.model, 96);
  const auto session = opened.load(device(), 32);
  const Evaluation loaded = Evaluator(device(), *session, 2, 16).run(load_dataset(o.data, "valid", encoder));
  ASSERT_TRUE(straight.eval_loss.has_value());
  EXPECT_EQ(loaded.loss, *straight.eval_loss);
}

TEST_P(Conformance, TheShippedModelLearns) {
  ScratchFolder scratch;
  RunOptions o = options();
  o.model = (source_dir() / "models/walsh-tiny").string();
  o.data = (scratch / "text.txt").string();
  o.out = (scratch / "run").string();
  // All of it in every step, so that losses of steps compare.
  write_file(o.data, read_text(source_dir() / "models/walsh-tiny/data/text/train.txt").substr(0, 250));
  o.steps = 4;
  o.sequence_length = 32;
  o.schedule = "constant";
  o.warmup = 0;
  o.calibration_sequences = 4;
  TextEncoder encoder(o.model, 1024);
  o.batch_size = static_cast<std::uint32_t>(
      pack(load_dataset(o.data, "train", encoder), o.sequence_length, o.seed).rows.size());
  const TrainReport report = run_training(o);
  EXPECT_LT(report.loss_last, 0.97 * report.loss_first);
}

INSTANTIATE_TEST_SUITE_P(methods, SmoothConformance, testing::ValuesIn(SmoothConformance::variants()),
                         [](const auto& info) { return std::string(info.param.name); });
INSTANTIATE_TEST_SUITE_P(methods, Conformance, testing::ValuesIn(variants()),
                         [](const auto& info) { return std::string(info.param.name); });

// The gradient of PEQA's scales is the chain rule on the gradient of the weights, which full fine-tuning of
// the dequantised model has: ds = Σ over a group of G ⊙ (q − z).
TEST(Peqa, ScaleGradientsFollowFromTheWeights) {
  for (const int group_size : {32, -1}) {
    const LivelySource base(tiny_config("qwen3"), 5, 3, group_size);
    const DequantizedSource dense(base);
    RunOptions o;
    o.method = "full";
    DeviceModel full(dense, o, nullptr);
    o.method = "peqa";
    DeviceModel peqa(base, o, nullptr);
    const Sequences batch({draw_ids(11, 1), draw_ids(9, 3)});
    const auto weights = full.gradients(batch), scales = peqa.gradients(batch);
    const auto names = full.session().parameters().all();
    std::size_t compared = 0;
    for (std::size_t p = 0; p < scales.size(); ++p) {
      const std::string name = peqa.session().parameters().all()[p].name;
      const std::string weight = name.substr(0, name.rfind('.')) + ".weight";
      const auto at = std::ranges::find(names, weight, &Parameter::name) - names.begin();
      const QuantizedMatrix q = dense.matrix(find_weight(base.config(), weight));
      std::vector<double> expected(scales[p].size(), 0.0), magnitude = expected;
      for (std::uint32_t i = 0; i < q.rows; ++i) {
        for (std::uint32_t j = 0; j < q.columns; ++j) {
          const std::uint32_t k = j / q.group_size;
          const double term = weights[static_cast<std::size_t>(at)][std::size_t{i} * q.columns + j] *
                              (double{static_cast<float>(q.code(i, j))} - q.zero(i, k));
          expected[std::size_t{i} * q.groups() + k] += term;
          magnitude[std::size_t{i} * q.groups() + k] += std::abs(term);
        }
      }
      for (std::size_t i = 0; i < expected.size(); ++i)
        ASSERT_NEAR(scales[p][i], expected[i], 1e-4 * magnitude[i] + 1e-9) << name << " " << i;
      ++compared;
    }
    EXPECT_EQ(compared, 14u);
  }
}

}  // namespace
}  // namespace walsh::test

// Exports: what training evaluated comes out, bit for bit where the format holds it, and is refused where it
// does not.
#include "train/export.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/half.h"
#include "calibrate/quantize_model.h"
#include "data/text_encoder.h"
#include "io/tokenizer.h"
#include "tests/support/gguf_model.h"
#include "tests/support/gpu.h"
#include "tests/support/paths.h"
#include "tests/support/process.h"
#include "tests/support/scratch.h"
#include "tests/support/tiny_model.h"
#include "train/evaluate.h"
#include "train/export_source.h"
#include "train/gguf_rows.h"
#include "train/opened_model.h"
#include "train/trainer.h"

namespace walsh::test {
namespace {

namespace fs = std::filesystem;

struct Silent final : TrainListener {
  void say(const std::string& line) override { lines.push_back(line); }
  void step(const Step&) override {}
  std::vector<std::string> lines;
};

class Exports : public testing::Test {
 protected:
  Exports() { write_token_rows(scratch_ / "data.jsonl", 8, 17, 2); }

  /// A run of a few steps; `model` defaults to a tiny one of whole blocks.
  RunOptions options(const std::string& method, std::uint32_t bits, const fs::path& model = {}) {
    RunOptions o;
    o.model = model.string();
    if (model.empty()) {
      o.model = (scratch_ / "model").string();
      if (!fs::exists(o.model)) write_tiny_model(o.model, tiny_config(), 1);
    }
    o.method = method;
    o.data = (scratch_ / "data.jsonl").string();
    o.out = (scratch_ / ("run-" + method)).string();
    o.bits = bits;
    o.group_size = 32;
    o.rank = method == "peqa" ? 0 : 2;
    o.steps = 3;
    o.sequence_length = 16;
    o.batch_size = 2;
    o.learning_rate = 1e-3;
    o.precision = "fp32";  // on any device
    o.calibration_sequences = 4;
    return o;
  }
  fs::path train_run(const RunOptions& o) {
    Silent listener;
    const std::atomic<bool> stop{false};
    train(device(), o, false, listener, stop);
    said_ = listener.lines;
    return o.out;
  }
  double loss_of(const fs::path& model, const std::string& adapter = {}) {
    const OpenedModel opened(model.string(), adapter, std::nullopt);
    TextEncoder encoder(model, opened.config().vocabulary_size);
    const Dataset data = load_dataset((scratch_ / "data.jsonl").string(), "train", encoder);
    const auto session = opened.load(device(), 64);
    return Evaluator(device(), *session, 4, 16).run(data).loss;
  }
  ExportReport write(const fs::path& run, const std::string& format, const std::string& out,
                     const std::string& type = {}, bool rounding = false) {
    return export_run(device(), run, scratch_ / out, {format, type, rounding});
  }

  ScratchFolder scratch_;
  std::vector<std::string> said_;
};

}  // namespace

TEST_F(Exports, TheWeightsOfAPassAreTheStoredOnes) {
  Json json = tiny_config("qwen2");  // with biases, which are no part of a weight
  for (const std::uint32_t bits : {0u, 2u, 3u, 4u, 8u}) {
    const LivelySource source(json, 6, bits);
    RunOptions o;
    Session session(source.config(), source.format(), o, 40, false);
    session.commit(device(), false);
    session.load(device(), source);
    std::size_t count = 0;
    visit_layers(device(), session, 40, [&](EffectiveLayer&& layer) {
      EXPECT_EQ(layer.weight, base_weight(source, layer.name, layer.rows, layer.columns)) << layer.name;
      EXPECT_EQ(layer.codes.has_value(), bits > 0);
      ++count;
    });
    EXPECT_EQ(count, 14u);
  }
}

TEST_F(Exports, QwhaIsRoundedToMergedWeightsAndSaysSo) {
  const fs::path run = train_run(options("qwha", 2));
  const std::string refusal = refusal_of([&] { write(run, "gptq", "gptq"); });
  EXPECT_TRUE(one_line_with(refusal, "is no quantised matrix in the forward pass of qwha"));
  // The tiny model is stored in fp32, which holds everything.
  EXPECT_TRUE(write(run, "merged", "merged").exact);
  const VerifyReport merged = verify_export(device(), run, scratch_ / "merged");
  EXPECT_EQ(merged.max_weight_difference, 0);
  EXPECT_GT(merged.change_from_base, 0);
  EXPECT_LT(merged.max_logit_difference, 1e-4);  // x·W + α·x̃·F is summed in another order than x·(W + ΔW)
  EXPECT_NEAR(loss_of(scratch_ / "merged"), loss_of(scratch_ / "model", run.string()), 1e-5);

  const std::string rounded = refusal_of([&] { write(run, "gguf", "x.gguf", "F16"); });
  EXPECT_TRUE(one_line_with(rounded, "F16 does not hold what qwha evaluated: weights change by up to"));
  EXPECT_TRUE(one_line_with(rounded, "--allow-rounding"));
  EXPECT_FALSE(fs::exists(scratch_ / "x.gguf"));
  const ExportReport f16 = write(run, "gguf", "x.gguf", "F16", true);
  EXPECT_FALSE(f16.exact);
  EXPECT_EQ(f16.bytes, fs::file_size(scratch_ / "x.gguf"));
  const VerifyReport verified = verify_export(device(), run, scratch_ / "x.gguf");
  EXPECT_EQ(verified.max_weight_difference, f16.max_difference);
  EXPECT_FALSE(verified.exact());
  EXPECT_NEAR(loss_of(scratch_ / "x.gguf"), loss_of(scratch_ / "merged"), 1e-2);
  EXPECT_TRUE(write(run, "gguf", "f32.gguf").exact);
  EXPECT_EQ(verify_export(device(), run, scratch_ / "f32.gguf").max_weight_difference, 0);
  EXPECT_EQ(loss_of(scratch_ / "f32.gguf"), loss_of(scratch_ / "merged"));
  write(run, "gguf", "q8.gguf", "Q8_0", true);
  EXPECT_GT(verify_export(device(), run, scratch_ / "q8.gguf").max_weight_difference,
            verified.max_weight_difference);
  EXPECT_TRUE(
      one_line_with(refusal_of([&] { write(run, "gguf", "y.gguf", "Q4_0", true); }), "Q4_0 cannot hold it"));
}

TEST_F(Exports, TheAdapterIsTheRunsToTheBit) {
  const fs::path run = train_run(options("qwha", 2));
  EXPECT_TRUE(write(run, "adapter", "adapter").exact);
  const VerifyReport report = verify_export(device(), run, scratch_ / "adapter");
  EXPECT_TRUE(report.exact());
  EXPECT_GT(report.change_from_base, 0);
}

TEST_F(Exports, RefusesWhatCannotBeExported) {
  EXPECT_TRUE(
      one_line_with(refusal_of([&] { write(scratch_.path(), "merged", "x"); }), "not a run of walsh train"));
  const fs::path run = train_run(options("qwha", 2));
  EXPECT_TRUE(
      one_line_with(refusal_of([&] { write(run, "onnx", "x"); }), "expected one of: merged, gptq, gguf"));
  EXPECT_TRUE(one_line_with(refusal_of([&] { write(run, "merged", "x", "F16"); }), "--gguf-type"));
  EXPECT_TRUE(one_line_with(refusal_of([&] { write(run, "gguf", "x", "Q3_K"); }), "found \"Q3_K\""));
  EXPECT_TRUE(one_line_with(refusal_of([&] { write(run, "gguf", "x", "Q6_K"); }), "found \"Q6_K\""));
  EXPECT_TRUE(one_line_with(refusal_of([&] { write(run, "merged", "model"); }), "exists already"));
  EXPECT_TRUE(one_line_with(refusal_of([&] { verify_export(device(), run, scratch_ / "none"); }), "absent"));
  const auto other = scratch_ / "other";
  Json json = tiny_config();
  json["intermediate_size"] = 160;
  write_tiny_model(other, json, 1);
  EXPECT_TRUE(one_line_with(refusal_of([&] { verify_export(device(), run, other); }), "not an export of"));
  write_file(run / "probe.json", "{}");
  EXPECT_TRUE(one_line_with(refusal_of([&] { verify_export(device(), run, other); }), "probe.json"));
}

TEST_F(Exports, TheCommandsAnswerInJson) {
  const fs::path run = train_run(options("qwha", 2));
  const std::string out = (scratch_ / "out.gguf").string();
  const Finished refused =
      run_walsh({"export", "--run", run.string(), "--format", "gguf", "--gguf-type", "Q8_0", "--out", out});
  EXPECT_EQ(refused.status, 2);
  const std::string said =
      refused.err.substr(refused.err.find("walsh: "));  // after what validation says of itself
  EXPECT_TRUE(one_line_with(said.substr(0, said.size() - 1), "Q8_0 does not hold what qwha evaluated"));
  const Finished exported =
      run_walsh({"export", "--run", run.string(), "--format", "gguf", "--out", out, "--json", "--quiet"});
  ASSERT_EQ(exported.status, 0) << exported.err;
  const Json json = Json::parse(exported.out);
  EXPECT_EQ(json.at("path"), out);
  EXPECT_EQ(json.at("bytes"), fs::file_size(out));
  EXPECT_EQ(json.at("exact"), true);
  const Finished verified =
      run_walsh({"verify", "--run", run.string(), "--export", out, "--json", "--quiet"});
  ASSERT_EQ(verified.status, 0) << verified.err;
  const Json proof = Json::parse(verified.out);
  EXPECT_EQ(proof.at("max_weight_difference"), 0);
  EXPECT_LT(proof.at("max_logit_difference").get<double>(), 1e-4);
  EXPECT_GT(proof.at("change_from_base").get<double>(), 0);
  EXPECT_EQ(proof.at("exact"), proof.at("max_logit_difference") == 0);
  // What does not differ from the base proves nothing, and is a failure of the work.
  const Finished base =
      run_walsh({"verify", "--run", run.string(), "--export", (run / "base").string(), "--json"});
  EXPECT_EQ(base.status, 1) << base.err;
  EXPECT_NE(base.err.find("those of the untrained base"), std::string::npos);
}

// QWHA on a GGUF file: its linear layers are the base, with the values of the file.
TEST_F(Exports, ATrainedGgufFileIsABaseLikeAnyOther) {
  const LivelySource source(tiny_config(), 1);
  write_gguf_model(scratch_ / "m.gguf", source, GgmlType::q8_0, GgmlType::f16);
  const fs::path run = train_run(options("qwha", 0, scratch_ / "m.gguf"));
  EXPECT_TRUE(std::ranges::any_of(said_, [](const std::string& line) {
    return line.find("(Q8_0) keep their values as 8-bit codes in groups of 32") != std::string::npos;
  }));
  write(run, "gguf", "out.gguf", "F32", true);
  const VerifyReport report = verify_export(device(), run, scratch_ / "out.gguf");
  EXPECT_EQ(report.max_weight_difference, 0);
  EXPECT_LT(report.max_logit_difference, 1e-4);
  EXPECT_GT(report.change_from_base, 0);
}

TEST_F(Exports, PeqaLeavesAsCodesExactly) {
  RunOptions o = options("peqa", 4);
  o.symmetric = true;
  o.learning_rate = 1e-3;
  const fs::path run = train_run(o);
  for (const auto& [format, out] : {std::pair("gptq", "gptq"), std::pair("gguf", "x.gguf")}) {
    EXPECT_TRUE(write(run, format, out).exact);
    const VerifyReport report = verify_export(device(), run, scratch_ / out);
    EXPECT_EQ(report.max_weight_difference, 0) << format;
    EXPECT_EQ(report.max_logit_difference, 0) << format;
    EXPECT_GT(report.change_from_base, 0) << format;
    EXPECT_EQ(loss_of(scratch_ / out), loss_of(scratch_ / "model", run.string())) << format;
  }
  EXPECT_EQ(Gguf::open(scratch_ / "x.gguf").at("blk.0.ffn_up.weight").type, GgmlType::q4_0);
}

TEST_F(Exports, AsymmetricCodesGoWhereTheirMinimaFit) {
  RunOptions o = options("peqa", 3);
  o.learning_rate = 1e-3;
  fs::path run = train_run(o);
  EXPECT_TRUE(write(run, "gguf", "three.gguf").exact);  // seven steps around any zero fit Q4_0
  EXPECT_TRUE(verify_export(device(), run, scratch_ / "three.gguf").exact());
  o.bits = 4;
  o.out = (scratch_ / "run-4").string();
  run = train_run(o);
  const std::string refusal = refusal_of([&] { write(run, "gguf", "four.gguf"); });
  EXPECT_TRUE(one_line_with(refusal, "Q4_1 does not hold what peqa evaluated"));
  EXPECT_TRUE(one_line_with(refusal, "minima must be 16-bit numbers"));
  EXPECT_TRUE(write(run, "gguf", "eight.gguf", "Q8_0").exact);
  EXPECT_TRUE(verify_export(device(), run, scratch_ / "eight.gguf").exact());
}

namespace {

/// Blocks of Q4_0 and Q4_1 too.
std::vector<std::byte> four_bit_blocks(GgmlType type, std::span<const float> values) {
  if (type != GgmlType::q4_0 && type != GgmlType::q4_1) return blocks_of(type, values);
  const std::size_t size = format_of(type).bytes;
  std::vector<std::byte> bytes(values.size() / 32 * size);
  for (std::size_t i = 0; i < values.size() / 32; ++i) {
    const auto block = values.subspan(32 * i, 32);
    auto [low, high] = std::ranges::minmax(block);
    if (type == GgmlType::q4_0) {
      high = std::max(-low, high) * 15 / 16;
      low = -high * 16 / 15;
    }
    GgmlCodes codes{.d_f16 = float_to_f16((high - low) / 15)};
    if (type == GgmlType::q4_1) codes.m_f16 = float_to_f16(low);
    for (std::size_t j = 0; j < 32; ++j)
      codes.codes[j] = static_cast<std::uint8_t>(
          std::clamp(std::nearbyint((block[j] - low) / (high - low) * 15), 0.0f, 15.0f));
    write_codes(type, codes, std::span(bytes).subspan(size * i, size));
  }
  return bytes;
}

}  // namespace

// The file that people run is the file that they train: the same bytes but for the scales.
TEST_F(Exports, PeqaOnAGgufFileGivesTheFileBack) {
  const LivelySource source(tiny_config(), 1);
  for (const GgmlType type : {GgmlType::q4_0, GgmlType::q4_1, GgmlType::q8_0}) {
    const std::string name(format_of(type).name);
    const fs::path model = scratch_ / (name + ".gguf"), back = scratch_ / (name + "-back.gguf");
    write_gguf_model(model, source, type, GgmlType::f16, {}, four_bit_blocks);
    RunOptions o = options("peqa", 0, model);
    o.learning_rate = 1e-3;
    o.out = (scratch_ / ("run-" + name)).string();
    const fs::path run = train_run(o);
    EXPECT_TRUE(write(run, "gguf", back.filename()).exact);
    const VerifyReport report = verify_export(device(), run, back);
    EXPECT_TRUE(report.exact()) << name;
    EXPECT_GT(report.change_from_base, 0);
    EXPECT_EQ(loss_of(back), loss_of(model, run.string()));
    const Gguf before = Gguf::open(model), after = Gguf::open(back);
    ASSERT_EQ(before.bytes().size(), after.bytes().size());
    std::size_t changed = 0;
    for (std::size_t t = 0; t < before.tensors().size(); ++t) {
      const GgufTensor &a = before.tensors()[t], &b = after.tensors()[t];
      const std::size_t block = a.type == type ? format_of(type).bytes : a.bytes.size();
      for (std::size_t i = 0; i < a.bytes.size(); ++i) {
        if (a.type == type && i % block < 2)
          changed += a.bytes[i] != b.bytes[i];  // d
        else
          ASSERT_EQ(a.bytes[i], b.bytes[i]) << a.name << " byte " << i;
      }
    }
    EXPECT_GT(changed, 100u);
    EXPECT_TRUE(std::ranges::equal(before.bytes().first(before.tensors()[0].offset),
                                   after.bytes().first(after.tensors()[0].offset)));
  }
}

// With trained offsets a base of integer zeros, and a Q4_0 file, leave as Q4_1; a Q4_1 file stays one.
TEST_F(Exports, PeqaTrainsOffsetsThatQ4_1Holds) {
  const LivelySource source(tiny_config(), 1);
  for (const GgmlType type : {GgmlType::q4_0, GgmlType::q4_1}) {
    const std::string name(format_of(type).name);
    write_gguf_model(scratch_ / (name + ".gguf"), source, type, GgmlType::f16, {}, four_bit_blocks);
  }
  for (const fs::path& model : {fs::path(), scratch_ / "Q4_0.gguf", scratch_ / "Q4_1.gguf"}) {
    RunOptions o = options("peqa", model.empty() ? 4 : 0, model);
    o.set["peqa.train_offset"] = "on";
    o.out = (scratch_ / ("run-" + model.stem().string())).string();
    const fs::path run = train_run(o), back = scratch_ / ("back-" + model.stem().string() + ".gguf");
    EXPECT_TRUE(write(run, "gguf", back.filename()).exact) << model;
    const VerifyReport report = verify_export(device(), run, back);
    EXPECT_TRUE(report.exact()) << model;
    const Gguf file = Gguf::open(back);
    const GgufTensor& after = file.at("blk.0.ffn_up.weight");
    ASSERT_EQ(after.type, GgmlType::q4_1);
    if (model.stem() != "Q4_1") continue;
    const Gguf original = Gguf::open(model);
    const auto before = original.at("blk.0.ffn_up.weight").bytes;
    std::size_t moved = 0;
    for (std::size_t i = 0; i < before.size(); ++i) moved += i % 20 / 2 == 1 && before[i] != after.bytes[i];
    EXPECT_GT(moved, 10u);
  }
  const std::string refusal = refusal_of([&] { write(scratch_ / "run-", "gptq", "gptq"); });
  EXPECT_TRUE(one_line_with(refusal, "has float offsets"));
}

TEST_F(Exports, PeqaSaysHowManyScalesTurned) {
  RunOptions o = options("peqa", 4);
  o.learning_rate = 0.1;
  o.max_grad_norm = 0;
  train_run(o);
  EXPECT_TRUE(std::ranges::any_of(said_, [](const std::string& line) {
    return line.starts_with("warning: ") && line.find("scales changed their sign") != std::string::npos;
  }));
  o.learning_rate = 1e-5;
  o.out = (scratch_ / "calm").string();
  train_run(o);
  EXPECT_TRUE(std::ranges::none_of(
      said_, [](const std::string& line) { return line.find("changed their sign") != std::string::npos; }));
}

// What full fine-tuning of a GGUF file saves is a model folder, and a file again.
TEST_F(Exports, FullFineTuningTakesAGgufFile) {
  const fs::path model = scratch_ / "m.gguf";
  write_gguf_model(model, LivelySource(tiny_config(), 1), GgmlType::f16, GgmlType::f16);
  RunOptions o = options("full", 0, model);
  o.rank = 0;
  const fs::path run = train_run(o);
  const double trained = loss_of(model, run.string());
  EXPECT_LT(trained, loss_of(model));
  EXPECT_EQ(loss_of(run / "adapter"), trained);
  EXPECT_TRUE(write(run, "gguf", "full.gguf", "F32").exact);
  EXPECT_EQ(verify_export(device(), run, scratch_ / "full.gguf").max_weight_difference, 0);
}

TEST_F(Exports, LrQatAndL4qLeaveAsCodesExactly) {
  struct Case {
    std::string method, setting, format;
    GgmlType type;
  };
  for (const Case& c : {Case{"lr-qat", "", "gptq", {}}, Case{"lr-qat", "", "gguf", GgmlType::q4_0},
                        Case{"l4q", "", "gguf", GgmlType::q4_1}, Case{"l4q", "l4q.train_offset", "gptq", {}},
                        Case{"l4q", "l4q.train_offset", "gguf", GgmlType::q4_0}}) {
    const std::string name = c.method + c.setting;
    RunOptions o = options(c.method, 4);
    o.out = (scratch_ / ("run-" + name)).string();
    if (!c.setting.empty()) o.set[c.setting] = "off";
    const fs::path run = fs::exists(o.out) ? fs::path(o.out) : train_run(o);
    const std::string out = name + "." + c.format;
    EXPECT_TRUE(write(run, c.format, out).exact) << name;
    const VerifyReport report = verify_export(device(), run, scratch_ / out);
    EXPECT_EQ(report.max_weight_difference, 0) << name;
    EXPECT_EQ(report.max_logit_difference, 0) << name;
    EXPECT_GT(report.change_from_base, 0) << name;
    if (c.format == "gguf")
      EXPECT_EQ(Gguf::open(scratch_ / out).at("blk.0.ffn_up.weight").type, c.type) << name;
    else
      EXPECT_EQ(loss_of(scratch_ / out), loss_of(scratch_ / "model", run.string())) << name;
  }
  const std::string refusal = refusal_of([&] { write(scratch_ / "run-l4q", "gptq", "l4q.gptq"); });
  EXPECT_TRUE(one_line_with(refusal, "has float offsets, GPTQ's zeros are whole"));
}

// Codes in blocks: what fits which type.
TEST(GgufRows, CodesGoWhereTheyFit) {
  const auto layer = [](std::uint32_t bits, std::uint32_t zero, bool offset = false) {
    EffectiveLayer l{.name = "l", .rows = 2, .columns = 64, .weight = {}, .codes = {}};
    QuantizedMatrix q{
        .rows = 2, .columns = 64, .bits = bits, .group_size = 32, .offset = offset, .codes = {}, .grid = {}};
    Philox random(bits, zero);
    q.codes.resize(2 * words_per_row(64, bits));
    for (auto& word : q.codes) word = random.next();
    const std::uint32_t low = offset ? float_to_f16(-0.3f) : zero;
    for (const float scale : {0.1f, 0.02f, -0.3f, 0.004f})
      q.grid.push_back(grid_word(float_to_f16(scale), low));
    for (std::uint32_t i = 0; i < 2; ++i)
      for (std::uint32_t j = 0; j < 64; ++j) l.weight.push_back(q.weight(i, j));
    l.codes = q;
    return l;
  };
  const auto held = [](const EffectiveLayer& l, GgmlType type) {
    std::vector<float> values(l.weight.size());
    dequantize(type, to_blocks(l, type), values);
    return values;
  };
  EXPECT_EQ(type_for(layer(4, 8)), GgmlType::q4_0);
  EXPECT_EQ(type_for(layer(4, 7)), GgmlType::q4_1);
  EXPECT_EQ(type_for(layer(4, 0, true)), GgmlType::q4_1);
  EXPECT_EQ(type_for(layer(3, 0)), GgmlType::q4_0);
  EXPECT_EQ(type_for(layer(2, 3)), GgmlType::q4_0);
  EXPECT_EQ(type_for(layer(8, 128)), GgmlType::q8_0);
  for (const auto& [bits, zero, type] : {std::tuple(4u, 8u, GgmlType::q4_0),
                                         {3u, 0u, GgmlType::q4_0},
                                         {2u, 3u, GgmlType::q4_0},
                                         {4u, 4u, GgmlType::q4_1},
                                         {4u, 5u, GgmlType::q8_0},
                                         {8u, 128u, GgmlType::q8_0},
                                         {2u, 1u, GgmlType::q8_0}}) {
    const EffectiveLayer l = layer(bits, zero);
    EXPECT_EQ(held(l, type), l.weight) << bits << " bits, zero " << zero;
  }
  const EffectiveLayer with_offset = layer(4, 0, true);
  EXPECT_EQ(held(with_offset, GgmlType::q4_1), with_offset.weight);
  const EffectiveLayer sevenths = layer(4, 7);  // 7 times a scale is no 16-bit number
  EXPECT_NE(held(sevenths, GgmlType::q4_1), sevenths.weight);
  EXPECT_LT(max_difference(held(sevenths, GgmlType::q4_1), sevenths.weight), 7 * 0.3 * 0x1p-11);
  EXPECT_TRUE(
      one_line_with(refusal_of([&] { to_blocks(layer(4, 7), GgmlType::q4_0); }), "codes from -7 to 8"));
  EXPECT_TRUE(one_line_with(refusal_of([&] { to_blocks(layer(8, 0), GgmlType::q4_1); }), "codes of 8 bits"));
  EXPECT_TRUE(one_line_with(refusal_of([&] { to_blocks(with_offset, GgmlType::q4_0); }), "float offsets"));
}

}  // namespace walsh::test

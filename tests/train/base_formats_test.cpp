// Training directly on GPTQ folders of other programs: v1 and v2, every width of codes, groups in the order
// of activations.
#include <gtest/gtest.h>

#include <cmath>

#include "io/gptq.h"
#include "tensor/packing.h"
#include "tests/support/gpu.h"
#include "tests/support/scratch.h"
#include "tests/support/tiny_model.h"
#include "train/report.h"
#include "train/trainer.h"

namespace walsh::test {
namespace {

namespace fs = std::filesystem;

struct Silent final : TrainListener {
  void say(const std::string&) override {}
  void step(const Step&) override {}
};

class BaseFormats : public testing::Test {
 protected:
  BaseFormats() { write_token_rows(scratch_ / "data.jsonl", 12, 17, 2); }

  /// The tiny model quantised per channel, its grids repeated for groups of 32: the same weights whichever
  /// inputs make up a group.
  void write_base(const std::string& name, std::uint32_t bits, bool v2, bool act_order) const {
    const LivelySource source(tiny_config(), 1);
    QuantizationConfig config = quantization_config(bits, 32, !v2, false);
    config.v2 = v2;
    config.act_order = act_order;
    fs::create_directories(scratch_ / name);
    std::vector<TensorInfo> tensors;
    const auto list = list_weights(source.config());
    for (const WeightInfo& w : list) {
      if (w.kind != WeightKind::linear) {
        tensors.push_back({w.name, DType::f32, w.shape});
        continue;
      }
      const auto layer = gptq_tensor_list(module_of(w), static_cast<std::uint32_t>(w.shape[0]),
                                          static_cast<std::uint32_t>(w.shape[1]), config);
      tensors.insert(tensors.end(), layer.begin(), layer.end());
    }
    SafetensorsWriter writer(scratch_ / name / "model.safetensors", tensors, {{"format", "pt"}});
    for (const WeightInfo& w : list) {
      if (w.kind != WeightKind::linear)
        writer.append(w.name, source.read(w, DType::f32));
      else
        write_gptq_layer(writer, module_of(w), matrix(source, w, bits, !v2, act_order), config);
    }
    writer.publish();
    write_file(scratch_ / name / "config.json",
               with_quantization_config(tiny_config().dump(), config, "config.json"));
  }

  TrainReport train_on(const std::string& base) const {
    RunOptions o;
    o.model = (scratch_ / base).string();
    o.data = (scratch_ / "data.jsonl").string();
    o.out = (scratch_ / (base + "_run")).string();
    o.rank = 2;
    o.steps = 12;
    o.sequence_length = 16;
    o.batch_size = 2;
    o.learning_rate = 2e-3;
    o.precision = "fp32";  // on any device
    o.seed = 7;
    Silent listener;
    return train(device(), o, false, listener, stop_);
  }

  ScratchFolder scratch_;

 private:
  static QuantizedMatrix matrix(const WeightSource& source, const WeightInfo& w, std::uint32_t bits,
                                bool symmetric, bool act_order) {
    const auto columns = static_cast<std::uint32_t>(w.shape[1]);
    QuantizedMatrix q = quantize_rtn(read_floats(source, w), static_cast<std::uint32_t>(w.shape[0]), columns,
                                     bits, -1, symmetric, w.name);
    QuantizedMatrix grouped = q;
    grouped.group_size = 32;
    grouped.grid.clear();
    for (const std::uint32_t word : q.grid) grouped.grid.insert(grouped.grid.end(), columns / 32, word);
    if (!act_order) return grouped;
    // Stored column p holds input p·step mod columns, a step without common factor.
    std::vector<std::uint8_t> row(columns);
    grouped.position.resize(columns);
    for (std::uint32_t p = 0; p < columns; ++p) grouped.position[p * 29 % columns] = p;
    grouped.codes.clear();
    for (std::uint32_t i = 0; i < q.rows; ++i) {
      for (std::uint32_t j = 0; j < columns; ++j)
        row[grouped.position[j]] = static_cast<std::uint8_t>(q.code(i, j));
      const auto words = pack_codes(row, bits);
      grouped.codes.insert(grouped.codes.end(), words.begin(), words.end());
    }
    return grouped;
  }

  mutable std::atomic<bool> stop_{false};
};

TEST_F(BaseFormats, TrainTheSameWithGroupsInTheOrderOfActivations) {
  for (const std::uint32_t bits : {2u, 3u, 4u, 8u}) {
    const bool v2 = bits != 4;
    const std::string plain = fmt::format("plain{}", bits), ordered = fmt::format("ordered{}", bits);
    write_base(plain, bits, v2, false);
    write_base(ordered, bits, v2, true);
    ASSERT_TRUE(open_model(scratch_ / ordered)->format().act_order);
    ASSERT_FALSE(open_model(scratch_ / plain)->format().act_order);
    const TrainReport a = train_on(plain), b = train_on(ordered);
    // The same weights, summed in another order: forward in the first loss, backward in those that follow.
    EXPECT_NEAR(a.loss_first, b.loss_first, 1e-4 * a.loss_first) << bits;
    EXPECT_NEAR(a.loss_last, b.loss_last, 1e-3 * a.loss_last) << bits;
    EXPECT_LT(a.loss_last, a.loss_first) << bits;
  }
}

TEST_F(BaseFormats, AReportHoldsTheRun) {
  write_base("base", 4, true, false);
  train_on("base");
  const std::string page = run_report(scratch_ / "base_run");
  for (const char* part : {"<svg", "loss, nats a token", "learning rate", "tokens a second", "device memory",
                           "base fingerprint"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("http"), std::string::npos);
  EXPECT_TRUE(one_line_with(refusal_of([&] { run_report(scratch_ / "base"); }), "not a run"));
}

}  // namespace
}  // namespace walsh::test

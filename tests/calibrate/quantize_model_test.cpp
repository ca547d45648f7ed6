// Quantising a whole model: what is calibrated on what, and what the folder holds.
#include "calibrate/quantize_model.h"

#include <gtest/gtest.h>

#include <cmath>

#include "calibrate/gram.h"
#include "io/gptq.h"
#include "tests/support/gpu.h"
#include "tests/support/scratch.h"
#include "tests/support/tiny_model.h"

namespace walsh::test {
namespace {

std::vector<std::vector<std::uint32_t>> sequences(std::size_t count, std::size_t length) {
  Philox random(5);
  std::vector<std::vector<std::uint32_t>> all(count, std::vector<std::uint32_t>(length));
  for (auto& sequence : all)
    for (std::uint32_t& id : sequence) id = random.below(96);
  return all;
}

class QuantizeModel : public testing::Test {
 protected:
  QuantizeResult quantize(const std::string& name, const QuantizeOptions& options, bool calibrated = true) {
    std::filesystem::create_directories(scratch_ / name);
    Calibration calibration;
    if (calibrated) calibration = {&device(), sequences(5, 40)};
    require_quantizable(source_, options);
    return quantize_model(source_, tiny_config().dump(), scratch_ / name, options, std::move(calibration));
  }
  static double mean_output_error(const QuantizeResult& result) {
    double sum = 0;
    for (const LayerError& layer : result.layers) sum += std::log(layer.output_error);
    return std::exp(sum / static_cast<double>(result.layers.size()));
  }

  ScratchFolder scratch_;
  LivelySource source_{tiny_config(), 1};
};

TEST_F(QuantizeModel, CalibratedQuantisersLowerTheOutputError) {
  const double nearest = mean_output_error(quantize("rtn", quantize_options("rtn", 3, 32, false)));
  const double gptq = mean_output_error(quantize("gptq", quantize_options("gptq", 3, 32, false)));
  const double magr = mean_output_error(quantize("magr", quantize_options("magr-gptq", 3, 32, false)));
  EXPECT_LT(gptq, 0.9 * nearest);
  EXPECT_LT(magr, 0.9 * nearest);
}

TEST_F(QuantizeModel, ReportsTheErrorsOfTheFolderThatItWrote) {
  const QuantizeResult result = quantize(
      "out",
      quantize_options("gptq", 4, 32, true, {{"quantize.act_order", "on"}, {"quantize.damping", "0.1"}}));
  const auto written = open_model(scratch_ / "out");
  EXPECT_EQ(written->format().bits, 4u);
  GramCollector collector(device(), source_, sequences(5, 40));
  const LayerGrams first = collector.collect();
  ASSERT_EQ(result.layers.size(), 14u);
  for (const LayerError& layer : result.layers) {
    const WeightInfo weight = find_weight(source_.config(), layer.name + ".weight");
    const auto rows = static_cast<std::uint32_t>(weight.shape[0]),
               columns = static_cast<std::uint32_t>(weight.shape[1]);
    const QuantizedMatrix matrix = written->quantized(layer.name, rows, columns);
    EXPECT_TRUE(matrix.symmetric);
    const std::vector<float> values = read_floats(source_, weight);
    double difference = 0, norm = 0;
    for (std::uint32_t i = 0; i < rows; ++i)
      for (std::uint32_t j = 0; j < columns; ++j) {
        const double w = values[std::size_t{i} * columns + j];
        difference += std::pow(w - static_cast<double>(matrix.weight(i, j)), 2);
        norm += w * w;
      }
    EXPECT_NEAR(layer.error, std::sqrt(difference / norm), 1e-9) << layer.name;
    EXPECT_EQ(layer.damping, 0.1);
    if (weight.layer == 0) {  // later layers see quantised inputs
      EXPECT_NEAR(layer.output_error, std::sqrt(relative_output_error(values, matrix, first.of(layer.name))),
                  1e-6)
          << layer.name;
    }
  }
}

// Layer 1 is calibrated on what layer 0 as quantised makes of the text, or as it was: not the same codes.
TEST_F(QuantizeModel, LaterLayersSeeQuantisedInputs) {
  const auto codes = [&](const std::string& name, const char* inputs, const std::string& module) {
    quantize(name, quantize_options("gptq", 2, 32, false, {{"quantize.inputs", inputs}}));
    return open_model(scratch_ / name)->quantized(module, 64, 64).codes;
  };
  const std::string first = "model.layers.0.self_attn.q_proj", second = "model.layers.1.self_attn.q_proj";
  EXPECT_EQ(codes("a", "quantized", first), codes("b", "original", first));
  EXPECT_NE(codes("c", "quantized", second), codes("d", "original", second));
  EXPECT_EQ(codes("e", "quantized", second), codes("f", "quantized", second));  // the same bits again
}

TEST_F(QuantizeModel, GramMatricesAreThoseOfTheInputs) {
  GramCollector collector(device(), source_, sequences(3, 24));
  GramCollector halves(device(), source_, sequences(3, 24));
  for (int layer = 0; layer < 2; ++layer) {
    const LayerGrams whole = collector.next();
    EXPECT_EQ(halves.collect().down, whole.down);
    halves.advance(source_);
    ASSERT_EQ(whole.qkv.size(), 64u * 64);
    for (std::size_t i = 0; i < 64; ++i) {
      EXPECT_GT(whole.qkv[i * 65], 0.0);
      for (std::size_t j = 0; j < i; ++j) {
        EXPECT_EQ(whole.qkv[i * 64 + j], whole.qkv[j * 64 + i]);
        EXPECT_LE(std::pow(whole.qkv[i * 64 + j], 2), whole.qkv[i * 65] * whole.qkv[j * 65] * 1.0001);
      }
    }
    // The inputs of q, k and v are normed: their squares sum to tokens × width, but for the norm's weights.
    if (layer == 0) {
      const std::vector<float> norm =
          read_floats(source_, find_weight(source_.config(), "model.layers.0.input_layernorm.weight"));
      double trace = 0;
      for (std::size_t j = 0; j < 64; ++j) trace += whole.qkv[j * 65] / std::pow(double{norm[j]}, 2);
      EXPECT_NEAR(trace, 72 * 64, 72 * 64 * 1e-3);
    }
  }
}

TEST_F(QuantizeModel, OptionsAreCheckedBeforehand) {
  const auto refusal = [&](const QuantizeOptions& options) {
    return refusal_of([&] { require_quantizable(source_, options); });
  };
  EXPECT_EQ(refusal(quantize_options("gptq", 4, 32, false)), "");
  EXPECT_TRUE(one_line_with(refusal(quantize_options("gptq", 4, 48, false)), "48 does not divide"));
  EXPECT_TRUE(
      one_line_with(refusal_of([] { quantize_options("best", 4, 32, false); }), "rtn, gptq, magr-gptq"));
  EXPECT_TRUE(one_line_with(refusal_of([] {
                              quantize_options("gptq", 4, 32, false, {{"quantize.speed", "1"}});
                            }),
                            "known are act_order"));
  EXPECT_TRUE(one_line_with(refusal_of([] {
                              quantize_options("gptq", 4, 32, false, {{"quantize.damping", "-1"}});
                            }),
                            "quantize.damping"));
  const QuantizeOptions options = quantize_options("magr-gptq", 2, 32, false, {{"quantize.sweeps", "4"}});
  EXPECT_EQ(options.gptq.sweeps, 4);
  EXPECT_EQ(options.gptq.magr_iterations, 40);
  EXPECT_EQ(quantize_options("magr-gptq", 2, 32, false).gptq.sweeps, 30);
  EXPECT_EQ(quantize_options("magr-gptq", 3, 32, false).gptq.sweeps, 1);
}

}  // namespace
}  // namespace walsh::test

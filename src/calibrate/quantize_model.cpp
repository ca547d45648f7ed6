#include "calibrate/quantize_model.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/parallel.h"
#include "calibrate/gram.h"
#include "calibrate/quantized_model_writer.h"
#include "io/gptq.h"
#include "quantize/rtn.h"

namespace walsh {
namespace {

std::uint32_t rows_of(const WeightInfo& w) { return static_cast<std::uint32_t>(w.shape[0]); }
std::uint32_t columns_of(const WeightInfo& w) { return static_cast<std::uint32_t>(w.shape[1]); }

double relative_error(const std::vector<float>& weights, const QuantizedMatrix& matrix) {
  struct Sums {
    double difference = 0, norm = 0;
  };
  std::vector<Sums> by_row(matrix.rows);
  parallel_for(matrix.rows, [&](std::size_t i) {
    Sums& sums = by_row[i];
    for (std::uint32_t j = 0; j < matrix.columns; ++j) {
      const double w = weights[i * matrix.columns + j];
      const double d = w - static_cast<double>(matrix.weight(static_cast<std::uint32_t>(i), j));
      sums = {sums.difference + d * d, sums.norm + w * w};
    }
  });
  Sums total;
  for (const Sums& s : by_row) total = {total.difference + s.difference, total.norm + s.norm};
  return total.norm > 0 ? std::sqrt(total.difference / total.norm) : 0;
}

/// Whether columns will stand in another order than the inputs.
bool reorders(const QuantizeOptions& options) {
  return options.quantizer != Quantizer::rtn && options.gptq.act_order && !options.gptq.static_groups;
}

/// A layer that is being quantised: its linear weights are those that have been put here.
class QuantizedLayerSource final : public WeightSource {
 public:
  QuantizedLayerSource(const WeightSource& original, const QuantizeOptions& options) : original_(original) {
    format_ = original.format();
    format_.bits = options.gptq.bits;
    format_.group_size = options.gptq.group_size;
    format_.act_order = reorders(options);
  }
  const ModelConfig& config() const override { return original_.config(); }
  WeightFormat format() const override { return format_; }
  DType dtype(const WeightInfo& weight) const override { return original_.dtype(weight); }
  std::vector<std::byte> read(const WeightInfo& weight, DType dtype) const override {
    return original_.read(weight, dtype);
  }
  std::vector<float> rows(const WeightInfo& weight, std::uint64_t first, std::uint64_t count) const override {
    return original_.rows(weight, first, count);
  }
  QuantizedMatrix quantized(const std::string& module, std::uint32_t, std::uint32_t) const override {
    return layers_.at(module);
  }
  void put(const std::string& module, const QuantizedMatrix& matrix) { layers_[module] = matrix; }
  void clear() { layers_.clear(); }

 private:
  const WeightSource& original_;
  WeightFormat format_;
  std::map<std::string, QuantizedMatrix> layers_;
};

class ModelQuantizer {
 public:
  ModelQuantizer(const WeightSource& source, const std::filesystem::path& out, const QuantizeOptions& options,
                 Calibration calibration, const std::function<void(const LayerError&)>& progress)
      : source_(source),
        options_(options),
        weights_(list_weights(source.config())),
        progress_(progress),
        quantized_(source, options) {
    for (const WeightInfo& w : weights_)
      if (w.kind == WeightKind::linear)
        result_.padded = result_.padded || needs_padding(rows_of(w), columns_of(w), options.gptq.bits);
    config_ = quantization_config(options.gptq.bits, options.gptq.group_size, options.gptq.symmetric,
                                  result_.padded);
    config_.act_order = reorders(options);
    writer_.emplace(source, out, config_);
    if (!calibration.sequences.empty())
      collector_.emplace(*calibration.device, source, std::move(calibration.sequences));
  }

  QuantizeResult run() {
    for (std::uint32_t layer = 0; layer < source_.config().layers; ++layer) {
      std::optional<LayerGrams> grams;
      if (collector_) grams = options_.quantized_inputs ? collector_->collect() : collector_->next();
      for (const WeightInfo& w : weights_)
        if (w.kind == WeightKind::linear && w.layer == static_cast<int>(layer)) quantize(w, grams);
      if (collector_ && options_.quantized_inputs) collector_->advance(quantized_);
      quantized_.clear();
    }
    writer_->publish();
    result_.bits_per_weight = bits_ / count_;
    return std::move(result_);
  }

  const QuantizationConfig& config() const { return config_; }

 private:
  void quantize(const WeightInfo& w, const std::optional<LayerGrams>& grams) {
    const std::string module = module_of(w);
    const std::vector<float> values = read_floats(source_, w);
    const GptqOptions& o = options_.gptq;
    LayerError report{.name = module};
    QuantizedMatrix matrix;
    if (options_.quantizer == Quantizer::rtn) {
      matrix = quantize_rtn(values, rows_of(w), columns_of(w), o.bits, o.group_size, o.symmetric, w.name);
    } else {
      QuantizedLayer layer = quantize_gptq(values, grams->of(module), rows_of(w), columns_of(w), o, w.name);
      matrix = std::move(layer.weight);
      report.damping = layer.damping;
    }
    writer_->append(module, matrix);
    report.error = relative_error(values, matrix);
    if (grams) {
      const std::vector<double>& gram = grams->of(module);
      report.output_error = std::sqrt(relative_output_error(values, matrix, gram));
      for (std::size_t j = 0; j < matrix.columns; ++j)
        report.dead_inputs += gram[j * matrix.columns + j] == 0;
    }
    bits_ += static_cast<double>(values.size()) * o.bits +
             static_cast<double>(matrix.grid.size()) * (16.0 + (o.symmetric ? 0 : o.bits));
    count_ += static_cast<double>(values.size());
    if (collector_) quantized_.put(module, matrix);
    result_.layers.push_back(report);
    if (progress_) progress_(report);
  }

  const WeightSource& source_;
  const QuantizeOptions& options_;
  std::vector<WeightInfo> weights_;
  const std::function<void(const LayerError&)>& progress_;
  QuantizationConfig config_;
  std::optional<QuantizedModelWriter> writer_;
  std::optional<GramCollector> collector_;
  QuantizedLayerSource quantized_;
  QuantizeResult result_;
  double bits_ = 0, count_ = 0;
};

}  // namespace

void require_quantizable(const WeightSource& source, const QuantizeOptions& options, bool scan) {
  const GptqOptions& o = options.gptq;
  require(source.format().bits == 0, "the model is quantised already ({} bits)", source.format().bits);
  const auto weights = list_weights(source.config());
  for (const WeightInfo& w : weights)
    if (w.kind == WeightKind::linear) checked_group_size(columns_of(w), o.bits, o.group_size, module_of(w));
  if (!scan) return;
  for (const WeightInfo& w : weights)
    if (w.kind == WeightKind::linear)
      require_quantizable(read_floats(source, w), rows_of(w), columns_of(w), o.bits, o.group_size,
                          o.symmetric, w.name);
}

QuantizeResult quantize_model(const WeightSource& source, const std::string& config_text,
                              const std::filesystem::path& out, const QuantizeOptions& options,
                              Calibration calibration,
                              const std::function<void(const LayerError&)>& progress) {
  require(!options.needs_calibration() || !calibration.sequences.empty(),
          "the quantiser needs text to calibrate on");
  ModelQuantizer quantizer(source, out, options, std::move(calibration), progress);
  QuantizeResult result = quantizer.run();
  write_file(out / "config.json", with_quantization_config(config_text, quantizer.config(), "config.json"));
  return result;
}

}  // namespace walsh

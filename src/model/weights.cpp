#include "model/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/half.h"
#include "base/philox.h"
#include "io/gguf.h"
#include "io/gptq.h"
#include "io/safetensors.h"
#include "quantize/rtn.h"

namespace walsh {
namespace {

std::uint64_t elements(const WeightInfo& weight) {
  std::uint64_t product = 1;
  for (const std::uint64_t extent : weight.shape) product *= extent;
  return product;
}

class FolderSource final : public WeightSource {
 public:
  explicit FolderSource(const std::filesystem::path& folder)
      : config_(read_config(folder)), tensors_(Safetensors::open(folder)) {
    if (is_quantized(folder)) quantization_ = read_quantization_config(folder);
    for (const WeightInfo& weight : list_weights(config_)) {
      if (quantization_ && weight.kind == WeightKind::linear)
        continue;  // other tensors, checked where they are read
      require_shape(tensors_.at(weight.name), weight.shape);
    }
    format_.dense = tensors_.at("model.embed_tokens.weight").dtype;
    require(format_.dense == DType::f32 || format_.dense == DType::f16 || format_.dense == DType::bf16,
            "{}: type {}, expected f32, f16 or bf16", tensors_.at("model.embed_tokens.weight").source,
            name_of(format_.dense));
    if (quantization_) {
      format_.bits = quantization_->bits;
      format_.group_size = quantization_->group_size;
      std::vector<std::string> modules;
      for (const WeightInfo& weight : list_weights(config_))
        if (weight.kind == WeightKind::linear) modules.push_back(module_of(weight));
      format_.act_order = has_act_order(tensors_, modules, *quantization_);
    }
  }

  const ModelConfig& config() const override { return config_; }
  WeightFormat format() const override { return format_; }
  DType dtype(const WeightInfo& weight) const override { return tensors_.at(weight.name).dtype; }

  std::vector<std::byte> read(const WeightInfo& weight, DType dtype) const override {
    const TensorView& view = tensors_.at(weight.name);
    if (view.dtype == dtype) return {view.bytes.begin(), view.bytes.end()};
    return to_bytes(to_floats(view), dtype);
  }
  std::vector<float> rows(const WeightInfo& weight, std::uint64_t first, std::uint64_t count) const override {
    return to_floats(tensors_.at(weight.name), first, count);
  }
  QuantizedMatrix quantized(const std::string& module, std::uint32_t rows,
                            std::uint32_t columns) const override {
    require(quantization_.has_value(), "{}: the model is not quantised", module);
    QuantizedMatrix matrix = read_gptq_layer(tensors_, module, *quantization_);
    require(matrix.rows == rows && matrix.columns == columns,
            "{}: quantised as {} x {}, the configuration says {} x {}", module, matrix.rows, matrix.columns,
            rows, columns);
    return matrix;
  }

 private:
  ModelConfig config_;
  Safetensors tensors_;
  std::optional<QuantizationConfig> quantization_;
  WeightFormat format_;
};

class RandomSource final : public WeightSource {
 public:
  RandomSource(const ModelConfig& config, const WeightFormat& format, std::uint64_t seed)
      : config_(config), format_(format), seed_(seed), list_(list_weights(config)) {}

  const ModelConfig& config() const override { return config_; }
  WeightFormat format() const override { return format_; }
  DType dtype(const WeightInfo&) const override { return format_.dense; }

  std::vector<std::byte> read(const WeightInfo& weight, DType dtype) const override {
    return to_bytes(rows(weight, 0, weight.shape[0]), dtype);
  }
  // Every row is a stream of its own, so that any range of rows can be drawn alone.
  std::vector<float> rows(const WeightInfo& weight, std::uint64_t first, std::uint64_t count) const override {
    const std::uint64_t width = elements(weight) / weight.shape[0];
    std::vector<float> values(count * width);
    const auto found =
        std::find_if(list_.begin(), list_.end(), [&](const WeightInfo& w) { return w.name == weight.name; });
    const auto index = static_cast<std::uint64_t>(found - list_.begin());
    for (std::uint64_t r = 0; r < count; ++r) {
      Philox random(seed_, (index << 32) | (first + r));
      for (std::uint64_t c = 0; c < width; ++c) values[r * width + c] = draw(weight.kind, random);
    }
    return values;
  }
  QuantizedMatrix quantized(const std::string& module, std::uint32_t rows,
                            std::uint32_t columns) const override {
    const WeightInfo weight = find_weight(config_, module + ".weight");
    return quantize_rtn(read_floats(*this, weight), rows, columns, format_.bits, format_.group_size, false,
                        weight.name);
  }

 private:
  float draw(WeightKind kind, Philox& random) const {
    if (kind == WeightKind::norm) return 1.0f;
    if (kind == WeightKind::bias) return 0.0f;
    return 0.02f * random.normal();
  }

  ModelConfig config_;
  WeightFormat format_;
  std::uint64_t seed_;
  std::vector<WeightInfo> list_;
};

class CombinedSource final : public WeightSource {
 public:
  CombinedSource(const WeightSource& rest, const WeightSource& linears) : rest_(rest), linears_(linears) {
    const auto a = list_weights(rest.config()), b = list_weights(linears.config());
    require(a.size() == b.size(), "the model and the base have different layers");
    for (std::size_t i = 0; i < a.size(); ++i) {
      require(a[i].name == b[i].name && a[i].shape == b[i].shape,
              "the model and the base differ in shape at {}", a[i].name);
    }
  }

  const ModelConfig& config() const override { return rest_.config(); }
  WeightFormat format() const override {
    WeightFormat format = linears_.format();
    format.dense = rest_.format().dense;
    return format;
  }
  DType dtype(const WeightInfo& weight) const override { return of(weight).dtype(weight); }
  std::vector<std::byte> read(const WeightInfo& weight, DType dtype) const override {
    return of(weight).read(weight, dtype);
  }
  std::vector<float> rows(const WeightInfo& weight, std::uint64_t first, std::uint64_t count) const override {
    return of(weight).rows(weight, first, count);
  }
  QuantizedMatrix quantized(const std::string& module, std::uint32_t rows,
                            std::uint32_t columns) const override {
    return linears_.quantized(module, rows, columns);
  }
  std::string note() const override { return rest_.note(); }

 private:
  const WeightSource& of(const WeightInfo& weight) const {
    return weight.kind == WeightKind::linear ? linears_ : rest_;
  }
  const WeightSource& rest_;
  const WeightSource& linears_;
};

}  // namespace

std::vector<std::byte> to_bytes(std::span<const float> values, DType dtype) {
  std::vector<std::byte> bytes(values.size() * size_of(dtype));
  if (dtype == DType::f32) {
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
  }
  auto* halves = reinterpret_cast<std::uint16_t*>(bytes.data());
  for (std::size_t i = 0; i < values.size(); ++i) {
    halves[i] = dtype == DType::f16 ? float_to_f16(values[i]) : float_to_bf16(values[i]);
  }
  return bytes;
}

bool is_gguf(const std::filesystem::path& model) { return Gguf::named(model); }

std::unique_ptr<WeightSource> open_model(const std::filesystem::path& model) {
  if (is_gguf(model)) return open_gguf(model);
  return std::make_unique<FolderSource>(model);
}

std::unique_ptr<WeightSource> random_model(const ModelConfig& config, const WeightFormat& format,
                                           std::uint64_t seed) {
  return std::make_unique<RandomSource>(config, format, seed);
}

std::unique_ptr<WeightSource> combined_model(const WeightSource& rest, const WeightSource& linears) {
  return std::make_unique<CombinedSource>(rest, linears);
}

std::vector<float> read_floats(const WeightSource& source, const WeightInfo& weight) {
  return source.rows(weight, 0, weight.shape[0]);
}

WeightInfo find_weight(const ModelConfig& config, const std::string& name) {
  for (WeightInfo& weight : list_weights(config)) {
    if (weight.name == name) return weight;
  }
  refuse("the model has no weight {}", name);
}

}  // namespace walsh

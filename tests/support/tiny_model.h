// Models of a few thousand random weights, for tests of passes, training and the command line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/json.h"
#include "base/philox.h"
#include "io/safetensors.h"
#include "model/weights.h"
#include "quantize/rtn.h"

namespace walsh::test {

/// A config.json: hidden 64, 2 layers, 4 heads of 16 over 2 KV heads, vocabulary 96, context 64.
inline Json tiny_config(const std::string& architecture = "llama") {
  Json json = {{"model_type", architecture}, {"vocab_size", 96},       {"hidden_size", 64},
               {"intermediate_size", 96},    {"num_hidden_layers", 2}, {"num_attention_heads", 4},
               {"num_key_value_heads", 2},   {"head_dim", 16},         {"max_position_embeddings", 64},
               {"hidden_act", "silu"},       {"rms_norm_eps", 1e-5},   {"rope_theta", 10000.0},
               {"tie_word_embeddings", true}};
  return json;
}

/// A source whose weights are computed, in fp32.
class ComputedSource : public WeightSource {
 public:
  DType dtype(const WeightInfo&) const override { return DType::f32; }
  std::vector<std::byte> read(const WeightInfo& weight, DType) const override {
    const std::vector<float> values = rows(weight, 0, weight.shape[0]);
    const auto bytes = std::as_bytes(std::span(values));
    return {bytes.begin(), bytes.end()};
  }
};

/// A quantised source with its linear layers as dense weights.
class DequantizedSource : public ComputedSource {
 public:
  explicit DequantizedSource(const WeightSource& base) : base_(base) {}
  const ModelConfig& config() const override { return base_.config(); }
  WeightFormat format() const override { return {.dense = DType::f32}; }
  std::vector<float> rows(const WeightInfo& weight, std::uint64_t first, std::uint64_t count) const override {
    if (weight.kind != WeightKind::linear) return base_.rows(weight, first, count);
    const std::vector<float> all = dense(weight);
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first * weight.shape[1]);
    return {begin, begin + static_cast<std::ptrdiff_t>(count * weight.shape[1])};
  }
  QuantizedMatrix quantized(const std::string& module, std::uint32_t, std::uint32_t) const override {
    refuse("{}: dense", module);
  }
  QuantizedMatrix matrix(const WeightInfo& weight) const {
    return base_.quantized(weight.name.substr(0, weight.name.rfind('.')),
                           static_cast<std::uint32_t>(weight.shape[0]),
                           static_cast<std::uint32_t>(weight.shape[1]));
  }

 protected:
  /// The weight in place of a matrix of the base.
  virtual std::vector<float> dense(const WeightInfo& weight) const { return matrix(weight).weights(); }

 private:
  const WeightSource& base_;
};

/// Weights larger than those of an initialisation, so that every path through the model counts: a source
/// whose norms and biases are not 1 and 0.
class LivelySource final : public ComputedSource {
 public:
  LivelySource(const Json& json, std::uint64_t seed, std::uint32_t bits = 0, int group_size = 32)
      : config_(parse_config(json, "test")), seed_(seed), bits_(bits), group_size_(group_size) {}
  const ModelConfig& config() const override { return config_; }
  WeightFormat format() const override {
    return {.dense = DType::f32, .bits = bits_, .group_size = group_size_};
  }
  std::vector<float> rows(const WeightInfo& weight, std::uint64_t first, std::uint64_t count) const override {
    const std::uint64_t width = weight.shape.size() > 1 ? weight.shape[1] : 1;
    std::uint64_t stream = 0;
    for (const char c : weight.name) stream = stream * 131 + static_cast<unsigned char>(c);
    Philox random(seed_, stream);
    std::vector<float> values;
    for (std::uint64_t i = 0; i < (first + count) * width; ++i) {
      const float draw = 0.2f * random.normal();
      if (i >= first * width) values.push_back(weight.kind == WeightKind::norm ? 1.0f + draw : draw);
    }
    return values;
  }
  QuantizedMatrix quantized(const std::string& module, std::uint32_t rows,
                            std::uint32_t columns) const override {
    return quantize_rtn(read_floats(*this, find_weight(config_, module + ".weight")), rows, columns, bits_,
                        group_size_, false, module);
  }

 private:
  ModelConfig config_;
  std::uint64_t seed_;
  std::uint32_t bits_;
  int group_size_;
};

/// Writes config.json and model.safetensors (f32) of such a model.
inline void write_tiny_model(const std::filesystem::path& folder, const Json& json, std::uint64_t seed) {
  std::filesystem::create_directories(folder);
  const LivelySource source(json, seed);
  std::vector<TensorInfo> tensors;
  for (const WeightInfo& weight : list_weights(source.config()))
    tensors.push_back({weight.name, DType::f32, weight.shape});
  SafetensorsWriter writer(folder / "model.safetensors", tensors, {{"format", "pt"}});
  for (const WeightInfo& weight : list_weights(source.config()))
    writer.append(weight.name, source.read(weight, DType::f32));
  writer.publish();
  write_file(folder / "config.json", json.dump());
}

/// `walsh train` on FOLDER/model and FOLDER/data.jsonl, 2 bits in groups of 32, into FOLDER/OUT, with `more`
/// flags.
inline std::vector<std::string> tiny_train_command(const std::filesystem::path& folder,
                                                   const std::string& out,
                                                   const std::vector<std::string>& more) {
  std::vector<std::string> words{"train",
                                 "--model",
                                 (folder / "model").string(),
                                 "--data",
                                 (folder / "data.jsonl").string(),
                                 "--out",
                                 (folder / out).string(),
                                 "--bits=2",
                                 "--group-size=32",
                                 "--rank=2",
                                 "--sequence-length=16",
                                 "--batch-size=2",
                                 "--quiet"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// A data file of rows {"tokens": [...]}: ids that follow a pattern, so that there is something to learn.
inline std::filesystem::path write_token_rows(const std::filesystem::path& file, std::uint32_t rows,
                                              std::uint32_t length, std::uint64_t seed) {
  Philox random(seed, 0);
  std::string text;
  for (std::uint32_t r = 0; r < rows; ++r) {
    Json ids = Json::array();
    auto id = static_cast<std::uint32_t>(random.uniform() * 96);
    for (std::uint32_t t = 0; t < length; ++t) {
      ids.push_back(id % 96);
      id = random.uniform() < 0.9 ? id * 5 + 7 : id + 1;
    }
    text += Json{{"tokens", ids}}.dump() + "\n";
  }
  write_file(file, text);
  return file;
}

}  // namespace walsh::test

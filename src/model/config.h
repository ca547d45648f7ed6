// What a Hugging Face config.json says about a LLaMA-family model, checked value by value.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace walsh {

enum class Architecture : std::uint8_t { llama, mistral, qwen2, qwen3 };
std::string_view name_of(Architecture architecture);

enum class RopeScaling : std::uint8_t { none, linear, llama3 };

struct Rope {
  double theta = 10000;
  RopeScaling scaling = RopeScaling::none;
  double factor = 1;            // linear, llama3
  double low_freq_factor = 1;   // llama3
  double high_freq_factor = 4;  // llama3
  double original_context = 0;  // llama3
  std::vector<float> factors;   // D/2 divisors of the frequencies, of a GGUF file; or empty
};

struct ModelConfig {
  Architecture architecture = Architecture::llama;
  std::uint32_t vocabulary_size = 0;
  std::uint32_t hidden = 0;
  std::uint32_t intermediate = 0;
  std::uint32_t layers = 0;
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;  // divides heads
  std::uint32_t head_dim = 0;  // even; heads · head_dim need not equal hidden
  std::uint32_t context = 0;
  float rms_eps = 0;
  bool tied = false;         // the head is the embedding
  bool qkv_bias = false;     // biases of q, k, v
  bool output_bias = false;  // bias of o
  bool mlp_bias = false;
  bool qk_norm = false;  // RMSNorm of every head of q and k before the rotation
  Rope rope;
  std::vector<std::uint32_t> window;  // a layer: keys that a query sees, itself included; 0 is all before it
  Json quantization;                  // quantization_config, or null

  std::uint32_t query_width() const { return heads * head_dim; }
  std::uint32_t kv_width() const { return kv_heads * head_dim; }
};

/// Reads `folder`/config.json.
ModelConfig read_config(const std::filesystem::path& folder);
ModelConfig parse_config(const Json& json, const std::string& source);

/// What the frequency of each of the head_dim/2 pairs is divided by, scaling and factors together.
std::vector<float> frequency_factors(const ModelConfig& config);

/// The angle that position 1 turns each of the head_dim/2 pairs by, scaled as the model says; computed in
/// double.
std::vector<float> inverse_frequencies(const ModelConfig& config);

enum class WeightKind : std::uint8_t { embedding, norm, linear, bias, head };

/// A weight of the model under its Hugging Face name. A quantised folder stores other tensors in place of a
/// linear one.
struct WeightInfo {
  std::string name;
  std::vector<std::uint64_t> shape;
  WeightKind kind = WeightKind::linear;
  int layer = -1;  // -1: outside the layers
};

/// The module that a weight belongs to ("model.layers.3.mlp.up_proj").
std::string module_of(const WeightInfo& weight);

/// Every weight, in the order of the forward pass.
std::vector<WeightInfo> list_weights(const ModelConfig& config);

/// "model.layers.3."
std::string layer_prefix(std::uint32_t layer);

}  // namespace walsh

#include "model/config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace walsh {
namespace {

struct Family {
  Architecture architecture;
  std::string_view class_name;  // of `architectures`
  std::string_view model_type;
};
constexpr std::array<Family, 4> families = {{{Architecture::llama, "LlamaForCausalLM", "llama"},
                                             {Architecture::mistral, "MistralForCausalLM", "mistral"},
                                             {Architecture::qwen2, "Qwen2ForCausalLM", "qwen2"},
                                             {Architecture::qwen3, "Qwen3ForCausalLM", "qwen3"}}};

constexpr std::uint32_t largest_width = 1u << 20;

/// Reads keys of one JSON object; an absent or null key takes the default of the model's own configuration
/// class.
class Reader {
 public:
  Reader(const Json& json, const std::string& source) : json_(json), source_(source) {
    require(json.is_object(), "{}: expected a JSON object, found {}", source, json.type_name());
  }

  const Json* find(const char* key) const {
    const auto it = json_.find(key);
    return it == json_.end() || it->is_null() ? nullptr : &*it;
  }

  std::uint32_t count(const char* key, std::uint32_t largest) const {
    const Json* value = find(key);
    require(value != nullptr, "{}: key \"{}\" is missing", source_, key);
    const std::int64_t number = value->is_number_integer() ? value->get<std::int64_t>() : 0;
    require(number >= 1 && number <= largest, "{}: \"{}\" is {}, expected a whole number from 1 to {}",
            source_, key, brief(*value), largest);
    return static_cast<std::uint32_t>(number);
  }
  std::uint32_t count_or(const char* key, std::uint32_t fallback, std::uint32_t largest) const {
    return find(key) ? count(key, largest) : fallback;
  }

  double positive(const char* key) const {
    const Json* value = find(key);
    require(value != nullptr, "{}: key \"{}\" is missing", source_, key);
    require(value->is_number() && std::isfinite(value->get<double>()) && value->get<double>() > 0,
            "{}: \"{}\" is {}, expected a number above 0", source_, key, brief(*value));
    return value->get<double>();
  }
  double positive_or(const char* key, double fallback) const { return find(key) ? positive(key) : fallback; }

  bool flag(const char* key, bool fallback) const { return json_or<bool>(json_, key, fallback, source_); }
  std::string text(const char* key, const std::string& fallback) const {
    return json_or<std::string>(json_, key, fallback, source_);
  }

 private:
  static std::string brief(const Json& value) { return value.dump().substr(0, 40); }

  const Json& json_;
  const std::string& source_;
};

Architecture parse_architecture(const Json& json, const Reader& read, const std::string& source) {
  const auto classes = json_or<std::vector<std::string>>(json, "architectures", {}, source);
  const std::string type = read.text("model_type", "");
  require(!classes.empty() || !type.empty(), "{}: neither \"architectures\" nor \"model_type\" is there",
          source);
  const auto family = classes.empty() ? std::ranges::find(families, type, &Family::model_type)
                                      : std::ranges::find(families, classes[0], &Family::class_name);
  require(
      family != families.end() && (type.empty() || type == family->model_type),
      "{}: architecture {} ({}) is not supported; LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM and "
      "Qwen3ForCausalLM are",
      source, classes.empty() ? "not given" : classes[0], type.empty() ? "no model_type" : type);
  return family->architecture;
}

/// Older files: `rope_theta` and `rope_scaling` {type | rope_type, ...}. Newer ones: `rope_parameters` with
/// both.
Rope parse_rope(const Reader& read, const std::string& source) {
  Rope rope;
  rope.theta = read.positive_or("rope_theta", rope.theta);
  require(read.positive_or("partial_rotary_factor", 1) == 1,
          "{}: \"partial_rotary_factor\" other than 1 is not supported", source);
  const char* key = read.find("rope_parameters") ? "rope_parameters" : "rope_scaling";
  const Json* json = read.find(key);
  if (!json) return rope;
  const std::string where = source + ": " + key;
  const Reader scaling(*json, where);
  rope.theta = scaling.positive_or("rope_theta", rope.theta);
  require(scaling.positive_or("partial_rotary_factor", 1) == 1,
          "{}: \"partial_rotary_factor\" other than 1 is not supported", where);
  const std::string type = scaling.text("rope_type", scaling.text("type", "default"));
  if (type == "default") return rope;
  require(type == "linear" || type == "llama3",
          "{}: rope type \"{}\" is not supported; default, linear and llama3 are", source, type);
  rope.factor = scaling.positive("factor");
  if (type == "linear") {
    rope.scaling = RopeScaling::linear;
    return rope;
  }
  rope.scaling = RopeScaling::llama3;
  rope.low_freq_factor = scaling.positive("low_freq_factor");
  rope.high_freq_factor = scaling.positive("high_freq_factor");
  rope.original_context = scaling.positive("original_max_position_embeddings");
  require(rope.low_freq_factor < rope.high_freq_factor,
          "{}: \"low_freq_factor\" {} is not below \"high_freq_factor\" {}", where, rope.low_freq_factor,
          rope.high_freq_factor);
  return rope;
}

/// Mistral slides in every layer. Qwen slides where `use_sliding_window` is set, from layer
/// `max_window_layers` on, or as `layer_types` says.
std::vector<std::uint32_t> parse_windows(const ModelConfig& config, const Json& json, const Reader& read,
                                         const std::string& source) {
  std::vector<std::uint32_t> windows(config.layers, 0);
  constexpr std::uint32_t largest = 1u << 30;
  const bool mistral = config.architecture == Architecture::mistral;
  const bool qwen = config.architecture == Architecture::qwen2 || config.architecture == Architecture::qwen3;
  if (!mistral && !(qwen && read.flag("use_sliding_window", false))) return windows;
  // Absent and null differ here: an absent key means the class's default window, null means none.
  if (json.contains("sliding_window") && json["sliding_window"].is_null()) return windows;
  const std::uint32_t window = read.count_or("sliding_window", 4096, largest);
  if (read.find("layer_types")) {
    const auto types = json_at<std::vector<std::string>>(json, "layer_types", source);
    require(types.size() == config.layers, "{}: \"layer_types\" names {} layers, the model has {}", source,
            types.size(), config.layers);
    for (std::size_t i = 0; i < types.size(); ++i) {
      require(types[i] == "full_attention" || types[i] == "sliding_attention",
              "{}: layer type \"{}\" is not supported; full_attention and sliding_attention are", source,
              types[i]);
      if (types[i] == "sliding_attention") windows[i] = window;
    }
    return windows;
  }
  const std::int64_t full_layers = mistral ? 0 : json_or<std::int64_t>(json, "max_window_layers", 28, source);
  require(full_layers >= 0, "{}: \"max_window_layers\" is {}, expected a whole number from 0", source,
          full_layers);
  for (auto i = static_cast<std::uint64_t>(full_layers); i < windows.size(); ++i) windows[i] = window;
  return windows;
}

/// The angle of pair i at position 1, unscaled.
double frequency(const ModelConfig& config, std::size_t i) {
  return std::pow(config.rope.theta, -2.0 * static_cast<double>(i) / config.head_dim);
}

void require_consistent(const ModelConfig& c, const std::string& source) {
  require(c.heads % c.kv_heads == 0, "{}: {} attention heads are not a multiple of {} key-value heads",
          source, c.heads, c.kv_heads);
  require(c.head_dim % 2 == 0, "{}: \"head_dim\" is {}, expected an even number", source, c.head_dim);
  require(std::uint64_t{c.heads} * c.head_dim <= largest_width, "{}: {} heads of width {} are too wide",
          source, c.heads, c.head_dim);
  require(c.rms_eps < 1, "{}: \"rms_norm_eps\" is {}, expected a number below 1", source, c.rms_eps);
}

}  // namespace

std::string_view name_of(Architecture architecture) {
  return std::ranges::find(families, architecture, &Family::architecture)->model_type;
}

ModelConfig parse_config(const Json& json, const std::string& source) {
  const Reader read(json, source);
  ModelConfig c;
  c.architecture = parse_architecture(json, read, source);
  const bool qwen2 = c.architecture == Architecture::qwen2;
  const bool qwen3 = c.architecture == Architecture::qwen3;
  const bool mistral = c.architecture == Architecture::mistral;

  const std::string activation = read.text("hidden_act", "silu");
  require(activation == "silu", "{}: \"hidden_act\" is \"{}\", only silu is supported", source, activation);
  c.vocabulary_size = read.count("vocab_size", 1u << 24);
  c.hidden = read.count("hidden_size", largest_width);
  c.intermediate = read.count("intermediate_size", largest_width);
  c.layers = read.count("num_hidden_layers", 4096);
  c.heads = read.count("num_attention_heads", 4096);
  c.kv_heads = read.count_or("num_key_value_heads", mistral ? 8 : qwen2 || qwen3 ? 32 : c.heads, 4096);
  if (!read.find("head_dim") && !qwen3)
    require(c.hidden % c.heads == 0, "{}: \"hidden_size\" {} is not a multiple of {} heads", source, c.hidden,
            c.heads);
  c.head_dim = read.count_or("head_dim", qwen3 ? 128 : c.hidden / c.heads, 4096);
  c.context = read.count_or("max_position_embeddings",
                            mistral          ? 131072
                            : qwen2 || qwen3 ? 32768
                                             : 2048,
                            1u << 30);
  c.rms_eps = static_cast<float>(read.positive_or("rms_norm_eps", 1e-6));
  c.tied = read.flag("tie_word_embeddings", false);

  const bool attention_bias = !qwen2 && !mistral && read.flag("attention_bias", false);
  c.qkv_bias = qwen2 || attention_bias;
  c.output_bias = attention_bias;
  c.mlp_bias = c.architecture == Architecture::llama && read.flag("mlp_bias", false);
  c.qk_norm = qwen3;
  c.rope = parse_rope(read, source);
  require_consistent(c, source);
  c.window = parse_windows(c, json, read, source);
  if (const Json* quantization = read.find("quantization_config")) c.quantization = *quantization;
  return c;
}

ModelConfig read_config(const std::filesystem::path& folder) {
  const auto path = folder / "config.json";
  return parse_config(read_json(path), path.string());
}

std::vector<float> frequency_factors(const ModelConfig& config) {
  const Rope& rope = config.rope;
  if (!rope.factors.empty()) return rope.factors;
  std::vector<float> result(config.head_dim / 2, 1.0f);
  for (std::size_t i = 0; i < result.size() && rope.scaling != RopeScaling::none; ++i) {
    if (rope.scaling == RopeScaling::linear) {
      result[i] = static_cast<float>(rope.factor);
      continue;
    }
    // Llama 3: fast pairs stay, slow ones are divided by the factor, those between are blended by their turns
    // in the original context.
    const double turns = rope.original_context * frequency(config, i) / (2 * std::numbers::pi);
    const double blend =
        std::clamp((turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor), 0.0, 1.0);
    result[i] = static_cast<float>(1 / ((1 - blend) / rope.factor + blend));
  }
  return result;
}

std::vector<float> inverse_frequencies(const ModelConfig& config) {
  std::vector<float> result = frequency_factors(config);
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i] = static_cast<float>(frequency(config, i) / result[i]);
  return result;
}

std::string module_of(const WeightInfo& weight) { return weight.name.substr(0, weight.name.rfind('.')); }

std::string layer_prefix(std::uint32_t layer) { return fmt::format("model.layers.{}.", layer); }

std::vector<WeightInfo> list_weights(const ModelConfig& c) {
  std::vector<WeightInfo> list;
  list.push_back({"model.embed_tokens.weight", {c.vocabulary_size, c.hidden}, WeightKind::embedding});
  for (std::uint32_t i = 0; i < c.layers; ++i) {
    const auto layer = static_cast<int>(i);
    const std::string prefix = layer_prefix(i);
    const auto norm = [&](const std::string& name, std::uint64_t width) {
      list.push_back({prefix + name + ".weight", {width}, WeightKind::norm, layer});
    };
    const auto linear = [&](const std::string& name, std::uint64_t out, std::uint64_t in, bool bias) {
      list.push_back({prefix + name + ".weight", {out, in}, WeightKind::linear, layer});
      if (bias) list.push_back({prefix + name + ".bias", {out}, WeightKind::bias, layer});
    };
    norm("input_layernorm", c.hidden);
    linear("self_attn.q_proj", c.query_width(), c.hidden, c.qkv_bias);
    linear("self_attn.k_proj", c.kv_width(), c.hidden, c.qkv_bias);
    linear("self_attn.v_proj", c.kv_width(), c.hidden, c.qkv_bias);
    if (c.qk_norm) norm("self_attn.q_norm", c.head_dim);
    if (c.qk_norm) norm("self_attn.k_norm", c.head_dim);
    linear("self_attn.o_proj", c.hidden, c.query_width(), c.output_bias);
    norm("post_attention_layernorm", c.hidden);
    linear("mlp.gate_proj", c.intermediate, c.hidden, c.mlp_bias);
    linear("mlp.up_proj", c.intermediate, c.hidden, c.mlp_bias);
    linear("mlp.down_proj", c.hidden, c.intermediate, c.mlp_bias);
  }
  list.push_back({"model.norm.weight", {c.hidden}, WeightKind::norm});
  if (!c.tied) list.push_back({"lm_head.weight", {c.vocabulary_size, c.hidden}, WeightKind::head});
  return list;
}

}  // namespace walsh

#include "model/gguf_config.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "io/utf8.h"

namespace walsh {
namespace {

struct NamePair {
  std::string_view module, name;
};
constexpr std::array<NamePair, 11> name_pairs{{{"input_layernorm", "attn_norm"},
                                               {"self_attn.q_proj", "attn_q"},
                                               {"self_attn.k_proj", "attn_k"},
                                               {"self_attn.v_proj", "attn_v"},
                                               {"self_attn.q_norm", "attn_q_norm"},
                                               {"self_attn.k_norm", "attn_k_norm"},
                                               {"self_attn.o_proj", "attn_output"},
                                               {"post_attention_layernorm", "ffn_norm"},
                                               {"mlp.gate_proj", "ffn_gate"},
                                               {"mlp.up_proj", "ffn_up"},
                                               {"mlp.down_proj", "ffn_down"}}};

constexpr std::string_view factors_name = "rope_freqs.weight";

std::string architecture_of(const Gguf& file) {
  const std::string source = file.path().string();
  const auto name = file.text("general.architecture");
  require(name.has_value(), "{}: no \"general.architecture\"", source);
  require(*name == "llama" || *name == "qwen2" || *name == "qwen3",
          "{}: architecture {} is not supported; llama, qwen2 and qwen3 are", source, in_quotes(*name));
  return *name;
}

Json rope_json(const Gguf& file, const std::string& prefix) {
  const auto type = file.text(prefix + "rope.scaling.type").value_or("none");
  if (type == "none") return nullptr;
  require(type == "linear", "{}: rope scaling {} is not supported; none and linear are", file.path().string(),
          in_quotes(type));
  return {{"rope_type", "linear"}, {"factor", file.real(prefix + "rope.scaling.factor").value_or(1.0)}};
}

bool is_llama(const ModelConfig& config) {
  return config.architecture == Architecture::llama || config.architecture == Architecture::mistral;
}

}  // namespace

Json config_json(const Gguf& file) {
  const std::string source = file.path().string(), name = architecture_of(file), prefix = name + ".";
  require(file.count(prefix + "expert_count").value_or(0) == 0, "{}: a mixture of experts is not supported",
          source);
  Json json = {{"hidden_act", "silu"}, {"torch_dtype", "float16"}};
  const auto count = [&](const char* key, const char* from) {
    const auto value = file.count(prefix + from);
    require(value.has_value(), "{}: key \"{}{}\" is missing", source, prefix, from);
    json[key] = *value;
    return *value;
  };
  const std::uint64_t hidden = count("hidden_size", "embedding_length");
  const std::uint64_t heads = count("num_attention_heads", "attention.head_count");
  count("num_hidden_layers", "block_count");
  count("intermediate_size", "feed_forward_length");
  count("max_position_embeddings", "context_length");
  json["num_key_value_heads"] = file.count(prefix + "attention.head_count_kv").value_or(heads);
  require(heads > 0, "{}: no attention heads", source);
  const std::uint64_t head_dim = file.count(prefix + "attention.key_length").value_or(hidden / heads);
  require(file.count(prefix + "attention.value_length").value_or(head_dim) == head_dim &&
              file.count(prefix + "rope.dimension_count").value_or(head_dim) == head_dim,
          "{}: keys, values and rotated dimensions of different widths are not supported", source);
  json["head_dim"] = head_dim;
  const auto eps = file.real(prefix + "attention.layer_norm_rms_epsilon");
  require(eps.has_value(), "{}: key \"{}attention.layer_norm_rms_epsilon\" is missing", source, prefix);
  json["rms_norm_eps"] = *eps;
  json["rope_theta"] = file.real(prefix + "rope.freq_base").value_or(10000.0);
  json["rope_scaling"] = rope_json(file, prefix);
  const GgufTensor& embedding = file.at(gguf_name("model.embed_tokens.weight"));
  json["vocab_size"] = embedding.shape[0];
  json["tie_word_embeddings"] = file.find_tensor(gguf_name("lm_head.weight")) == nullptr;
  const std::uint64_t window = file.count(prefix + "attention.sliding_window").value_or(0);
  std::string type = name;
  if (window > 0) {
    json["sliding_window"] = window;
    if (name == "llama") type = "mistral";
    json["use_sliding_window"] = true;
    json["max_window_layers"] = 0;
  }
  if (name != "qwen2") {
    const auto biased = [&](const char* module) {
      return file.find_tensor(gguf_name(layer_prefix(0) + module + ".bias")) != nullptr;
    };
    json["attention_bias"] = biased("self_attn.q_proj");
    json["mlp_bias"] = biased("mlp.gate_proj");
  }
  json["model_type"] = type;
  json["architectures"] = {type == "llama"     ? "LlamaForCausalLM"
                           : type == "mistral" ? "MistralForCausalLM"
                           : type == "qwen2"   ? "Qwen2ForCausalLM"
                                               : "Qwen3ForCausalLM"};
  return json;
}

ModelConfig read_config(const Gguf& file) {
  ModelConfig config = parse_config(config_json(file), file.path().string());
  if (const GgufTensor* factors = file.find_tensor(factors_name)) {
    require(
        factors->shape == std::vector<std::uint64_t>{config.head_dim / 2} && factors->type == GgmlType::f32,
        "{}: expected {} numbers (F32)", factors->source, config.head_dim / 2);
    config.rope.factors = to_floats(*factors, 0, factors->shape[0]);
    for (const float factor : config.rope.factors)
      require(std::isfinite(factor) && factor > 0, "{}: {} is not above 0", factors->source, factor);
  }
  return config;
}

std::vector<GgufValue> config_values(const ModelConfig& c) {
  const std::string name(is_llama(c) ? "llama" : name_of(c.architecture)), prefix = name + ".";
  std::vector<GgufValue> values = {
      gguf_text("general.architecture", name),
      gguf_text("general.type", "model"),
      gguf_count(prefix + "block_count", c.layers),
      gguf_count(prefix + "context_length", c.context),
      gguf_count(prefix + "embedding_length", c.hidden),
      gguf_count(prefix + "feed_forward_length", c.intermediate),
      gguf_count(prefix + "attention.head_count", c.heads),
      gguf_count(prefix + "attention.head_count_kv", c.kv_heads),
      gguf_count(prefix + "attention.key_length", c.head_dim),
      gguf_count(prefix + "attention.value_length", c.head_dim),
      gguf_real(prefix + "attention.layer_norm_rms_epsilon", c.rms_eps),
      gguf_count(prefix + "rope.dimension_count", c.head_dim),
      gguf_real(prefix + "rope.freq_base", static_cast<float>(c.rope.theta)),
      gguf_count(prefix + "vocab_size", c.vocabulary_size),
  };
  if (c.rope.scaling == RopeScaling::linear) {
    values.push_back(gguf_text(prefix + "rope.scaling.type", "linear"));
    values.push_back(gguf_real(prefix + "rope.scaling.factor", static_cast<float>(c.rope.factor)));
  }
  require(std::ranges::all_of(c.window, [&](auto window) { return window == c.window[0]; }),
          "GGUF cannot hold a model whose layers have different sliding windows");
  if (c.window[0] > 0) values.push_back(gguf_count(prefix + "attention.sliding_window", c.window[0]));
  return values;
}

std::string gguf_name(const std::string& weight) {
  if (weight == "model.embed_tokens.weight") return "token_embd.weight";
  if (weight == "model.norm.weight") return "output_norm.weight";
  if (weight == "lm_head.weight") return "output.weight";
  constexpr std::string_view layers = "model.layers.";
  require(weight.starts_with(layers), "{} has no name in GGUF", weight);
  const auto index_end = weight.find('.', layers.size());
  const auto module_end = weight.rfind('.');
  require(index_end < module_end && module_end != std::string::npos, "{} has no name in GGUF", weight);
  const auto part = std::ranges::find(
      name_pairs, std::string_view(weight).substr(index_end + 1, module_end - index_end - 1),
      &NamePair::module);
  require(part != name_pairs.end(), "{} has no name in GGUF", weight);
  return fmt::format("blk.{}.{}{}", weight.substr(layers.size(), index_end - layers.size()), part->name,
                     weight.substr(module_end));
}

bool rows_move(const ModelConfig& config, const std::string& weight) {
  return is_llama(config) && (weight.find("self_attn.q_proj.") != std::string::npos ||
                              weight.find("self_attn.k_proj.") != std::string::npos);
}

std::uint64_t gguf_row(const ModelConfig& config, const std::string& weight, std::uint64_t row) {
  if (!rows_move(config, weight)) return row;
  const std::uint64_t head = row / config.head_dim, within = row % config.head_dim,
                      half = config.head_dim / 2;
  return head * config.head_dim + within % half * 2 + within / half;
}

}  // namespace walsh

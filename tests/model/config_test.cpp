#include "model/config.h"

#include <cmath>
#include <functional>

#include "io/safetensors.h"
#include "tests/support/paths.h"

namespace walsh::test {
namespace {

Json llama() {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"model_type", "llama"},
          {"hidden_act", "silu"},
          {"vocab_size", 512},
          {"hidden_size", 64},
          {"intermediate_size", 172},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 8},
          {"num_key_value_heads", 4},
          {"rms_norm_eps", 1e-5},
          {"max_position_embeddings", 512},
          {"tie_word_embeddings", true}};
}

Json family(const char* architecture, const char* type) {
  Json json = llama();
  json["architectures"] = {architecture};
  json["model_type"] = type;
  return json;
}

/// The refusal of llama() after `change`.
std::string refusal(const std::function<void(Json&)>& change) {
  Json json = llama();
  change(json);
  try {
    parse_config(json, "config.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool says(const std::string& message, const std::string& part) {
  return message.find(part) != std::string::npos && message.find('\n') == std::string::npos;
}

std::vector<std::string> weight_names(const Json& json) {
  std::vector<std::string> names;
  for (const WeightInfo& weight : list_weights(parse_config(json, "config.json")))
    names.push_back(weight.name);
  return names;
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

TEST(config, llama) {
  const ModelConfig c = parse_config(llama(), "config.json");
  EXPECT_EQ(c.architecture, Architecture::llama);
  EXPECT_EQ(c.head_dim, 8u);
  EXPECT_EQ(c.query_width(), 64u);
  EXPECT_EQ(c.kv_width(), 32u);
  EXPECT_FLOAT_EQ(c.rms_eps, 1e-5f);
  EXPECT_TRUE(c.tied);
  EXPECT_FALSE(c.qkv_bias || c.output_bias || c.mlp_bias || c.qk_norm);
  EXPECT_EQ(c.window, (std::vector<std::uint32_t>{0, 0}));
  EXPECT_TRUE(c.quantization.is_null());
  // embedding, two layers of two norms and seven linear layers, norm; the tied head is no weight of its own
  EXPECT_EQ(list_weights(c).size(), 1u + 2 * 9 + 1);
}

TEST(config, llama_biases) {
  Json json = llama();
  json["attention_bias"] = true;
  json["mlp_bias"] = true;
  json["tie_word_embeddings"] = false;
  const auto names = weight_names(json);
  EXPECT_EQ(names.size(), 1u + 2 * (9 + 7) + 2);
  EXPECT_TRUE(has(names, "model.layers.1.self_attn.o_proj.bias"));
  EXPECT_TRUE(has(names, "lm_head.weight"));
}

TEST(config, qwen2_biases_on_q_k_v_only) {
  const auto names = weight_names(family("Qwen2ForCausalLM", "qwen2"));
  EXPECT_TRUE(has(names, "model.layers.0.self_attn.q_proj.bias"));
  EXPECT_TRUE(has(names, "model.layers.0.self_attn.v_proj.bias"));
  EXPECT_FALSE(has(names, "model.layers.0.self_attn.o_proj.bias"));
}

TEST(config, qwen3_norms_and_head_dim) {
  const ModelConfig c = parse_config(family("Qwen3ForCausalLM", "qwen3"), "config.json");
  EXPECT_EQ(c.head_dim, 128u);  // the class's default, not hidden / heads
  EXPECT_TRUE(c.qk_norm);
  EXPECT_FALSE(c.qkv_bias);
  for (const WeightInfo& weight : list_weights(c)) {
    if (weight.name == "model.layers.0.self_attn.k_norm.weight") {
      EXPECT_EQ(weight.shape, (std::vector<std::uint64_t>{128}));
    }
    if (weight.name == "model.layers.0.self_attn.o_proj.weight") {
      EXPECT_EQ(weight.shape, (std::vector<std::uint64_t>{64, 1024}));
    }
  }
}

TEST(config, mistral_windows) {
  Json json = family("MistralForCausalLM", "mistral");
  EXPECT_EQ(parse_config(json, "").window[1], 4096u);
  json["sliding_window"] = 16;
  EXPECT_EQ(parse_config(json, "").window, (std::vector<std::uint32_t>{16, 16}));
  json["sliding_window"] = nullptr;
  EXPECT_EQ(parse_config(json, "").window, (std::vector<std::uint32_t>{0, 0}));
}

TEST(config, qwen_windows) {
  Json json = family("Qwen2ForCausalLM", "qwen2");
  json["sliding_window"] = 32;
  json["max_window_layers"] = 1;
  EXPECT_EQ(parse_config(json, "").window, (std::vector<std::uint32_t>{0, 0}));
  json["use_sliding_window"] = true;
  EXPECT_EQ(parse_config(json, "").window, (std::vector<std::uint32_t>{0, 32}));
  json["layer_types"] = {"sliding_attention", "full_attention"};
  EXPECT_EQ(parse_config(json, "").window, (std::vector<std::uint32_t>{32, 0}));
}

TEST(config, architecture_from_model_type_alone) {
  Json json = llama();
  json.erase("architectures");
  EXPECT_EQ(parse_config(json, "").architecture, Architecture::llama);
}

TEST(config, refusals) {
  EXPECT_TRUE(says(refusal([](Json& j) { j["architectures"] = {"GPT2LMHeadModel"}; }), "GPT2LMHeadModel"));
  EXPECT_TRUE(says(refusal([](Json& j) { j["model_type"] = "gemma"; }), "gemma"));
  EXPECT_TRUE(says(refusal([](Json& j) { j["architectures"] = 3; }), "architectures"));
  EXPECT_TRUE(says(refusal([](Json& j) { j["hidden_act"] = "gelu"; }), "gelu"));
  EXPECT_TRUE(says(refusal([](Json& j) { j.erase("vocab_size"); }), "vocab_size"));
  EXPECT_TRUE(says(refusal([](Json& j) { j["hidden_size"] = -64; }), "-64"));
  EXPECT_TRUE(says(refusal([](Json& j) { j["hidden_size"] = 64.5; }), "64.5"));
  EXPECT_TRUE(says(refusal([](Json& j) { j["hidden_size"] = 1ull << 40; }), "hidden_size"));
  EXPECT_TRUE(says(refusal([](Json& j) { j["num_hidden_layers"] = 0; }), "num_hidden_layers"));
  EXPECT_TRUE(says(refusal([](Json& j) { j["num_attention_heads"] = 7; }), "7 heads"));
  EXPECT_TRUE(says(refusal([](Json& j) { j["num_key_value_heads"] = 3; }), "3 key-value heads"));
  EXPECT_TRUE(says(refusal([](Json& j) { j["head_dim"] = 7; }), "head_dim"));
  EXPECT_TRUE(says(refusal([](Json& j) { j["rms_norm_eps"] = 0; }), "rms_norm_eps"));
  EXPECT_TRUE(says(refusal([](Json& j) { j["rope_theta"] = "big"; }), "rope_theta"));
  EXPECT_TRUE(says(refusal([](Json& j) { j["tie_word_embeddings"] = "yes"; }), "tie_word_embeddings"));
  EXPECT_TRUE(says(refusal([](Json& j) { j = Json::array(); }), "object"));
}

TEST(config, rope_types) {
  const auto with = [](const char* key, Json value) { return [=](Json& j) { j[key] = value; }; };
  EXPECT_TRUE(says(refusal(with("rope_scaling", {{"type", "yarn"}, {"factor", 2}})), "yarn"));
  EXPECT_TRUE(says(refusal(with("rope_scaling", {{"rope_type", "dynamic"}, {"factor", 2}})), "dynamic"));
  EXPECT_TRUE(says(refusal(with("rope_scaling", {{"type", "linear"}})), "factor"));
  EXPECT_TRUE(
      says(refusal(with("rope_parameters", {{"full_attention", Json::object()}, {"rope_type", "longrope"}})),
           "longrope"));
  EXPECT_TRUE(says(refusal(with("partial_rotary_factor", 0.5)), "partial_rotary_factor"));

  Json json = llama();
  json["rope_parameters"] = {{"rope_type", "linear"}, {"factor", 4.0}, {"rope_theta", 100.0}};
  const auto frequencies = inverse_frequencies(parse_config(json, ""));
  ASSERT_EQ(frequencies.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_FLOAT_EQ(frequencies[i], static_cast<float>(std::pow(100.0, -static_cast<double>(i) / 4) / 4));
}

TEST(config, llama3_frequencies) {
  Json json = llama();
  json["head_dim"] = 64;
  json["rope_theta"] = 500000.0;
  const auto plain = inverse_frequencies(parse_config(json, ""));
  json["rope_scaling"] = {{"rope_type", "llama3"},
                          {"factor", 8.0},
                          {"low_freq_factor", 1.0},
                          {"high_freq_factor", 4.0},
                          {"original_max_position_embeddings", 8192}};
  const auto scaled = inverse_frequencies(parse_config(json, ""));
  int kept = 0, divided = 0, blended = 0;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const double wavelength = 2 * M_PI / plain[i];
    if (wavelength < 8192.0 / 4) {
      EXPECT_EQ(scaled[i], plain[i]);
      ++kept;
    } else if (wavelength > 8192.0) {
      EXPECT_FLOAT_EQ(scaled[i], plain[i] / 8);
      ++divided;
    } else {
      const double smooth = (8192 / wavelength - 1) / (4 - 1);
      EXPECT_FLOAT_EQ(scaled[i], static_cast<float>((1 - smooth) * plain[i] / 8 + smooth * plain[i]));
      ++blended;
    }
  }
  EXPECT_TRUE(kept > 0 && divided > 0 && blended > 0);
}

TEST(config, weights_of_real_models_are_those_of_the_list) {
  const auto models = shared_data() / "models";
  WALSH_NEEDS(models);
  for (const char* name : {"stories260K", "stories260K-sharded", "tiny-llama3", "tiny-qwen3"}) {
    const ModelConfig config = read_config(models / name);
    const Safetensors tensors = Safetensors::open(models / name);
    const auto weights = list_weights(config);
    for (const WeightInfo& weight : weights) require_shape(tensors.at(weight.name), weight.shape);
    EXPECT_EQ(weights.size(), tensors.names().size()) << name;
  }
  EXPECT_EQ(read_config(models / "tiny-llama3").rope.scaling, RopeScaling::llama3);
}

}  // namespace walsh::test

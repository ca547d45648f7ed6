#include "model/model_files.h"

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "model/gguf_config.h"

namespace walsh {

namespace fs = std::filesystem;

namespace {

/// Llama 3's scaling that gives a file's frequency factors, up to how its writer rounded: the slowest pairs
/// show the factor, and its models share the other numbers.
Json llama3_scaling(ModelConfig config, const std::string& source) {
  const std::vector<float> factors = std::move(config.rope.factors);
  config.rope.factors.clear();
  config.rope.scaling = RopeScaling::llama3;
  config.rope.factor = factors.back();
  config.rope.low_freq_factor = 1;
  config.rope.high_freq_factor = 4;
  config.rope.original_context = 8192;
  const auto near = [](float a, float b) { return std::abs(a - b) <= 1e-4f * std::abs(b); };
  require(
      std::ranges::equal(frequency_factors(config), factors, near),
      "{}: its frequency factors (rope_freqs.weight) are not those of Llama 3, which a config.json can say",
      source);
  return {{"rope_type", "llama3"},
          {"factor", config.rope.factor},
          {"low_freq_factor", config.rope.low_freq_factor},
          {"high_freq_factor", config.rope.high_freq_factor},
          {"original_max_position_embeddings", config.rope.original_context}};
}

}  // namespace

std::string config_text(const fs::path& model) {
  if (!Gguf::named(model)) return read_text(model / "config.json");
  const Gguf file = Gguf::open(model);
  Json json = config_json(file);
  const ModelConfig config = read_config(file);
  if (!config.rope.factors.empty()) json["rope_scaling"] = llama3_scaling(config, model.string());
  for (const char* end : {"bos", "eos"}) {
    const auto id = file.count(fmt::format("tokenizer.ggml.{}_token_id", end));
    if (id) json[fmt::format("{}_token_id", end)] = *id;
  }
  return json.dump(2) + "\n";
}

}  // namespace walsh

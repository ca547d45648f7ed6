// The quantisation config of GPTQ folders.
#include "base/file.h"
#include "io/gptq.h"

namespace walsh {
namespace {

Json find_config(const std::filesystem::path& folder, std::string& source) {
  const auto model = folder / "config.json";
  source = model.string();
  const Json json = read_json(model);
  require(json.is_object(), "{}: expected a JSON object", source);
  const auto it = json.find("quantization_config");
  if (it != json.end() && !it->is_null()) return *it;
  const auto older = folder / "quantize_config.json";
  std::error_code error;
  if (!std::filesystem::exists(older, error)) return nullptr;
  source = older.string();
  return read_json(older);
}

std::int64_t whole_number(const Json& json, const char* key, std::int64_t fallback,
                          const std::string& source) {
  const auto it = json.find(key);
  if (it == json.end() || it->is_null()) return fallback;
  require(it->is_number_integer(), "{}: \"{}\" is not a whole number", source, key);
  return it->get<std::int64_t>();
}

}  // namespace

QuantizationConfig quantization_config(std::uint32_t bits, int group_size, bool symmetric, bool padded) {
  return {.bits = bits, .group_size = group_size, .symmetric = symmetric, .v2 = !symmetric, .padded = padded};
}

bool is_quantized(const std::filesystem::path& folder) {
  std::string source;
  return !find_config(folder, source).is_null();
}

QuantizationConfig read_quantization_config(const std::filesystem::path& folder) {
  std::string source;
  const Json json = find_config(folder, source);
  require(!json.is_null(), "{}: no \"quantization_config\", the model is not quantised", source);
  return parse_quantization_config(json, source);
}

QuantizationConfig parse_quantization_config(const Json& json, const std::string& source) {
  const auto method = json_or<std::string>(json, "quant_method", "gptq", source);
  require(method == "gptq", "{}: quantisation method \"{}\" is not supported, gptq is", source, method);
  const auto format = json_or<std::string>(json, "checkpoint_format", "gptq", source);
  require(format == "gptq" || format == "gptq_v2",
          "{}: checkpoint format \"{}\" is not supported, gptq and gptq_v2 are", source, format);
  const auto dynamic = json.find("dynamic");
  require(dynamic == json.end() || dynamic->is_null() || dynamic->empty(),
          "{}: \"dynamic\" (settings of single layers) is not supported", source);
  require(!json_or<bool>(json, "lm_head", false, source),
          "{}: \"lm_head\": a quantised head is not supported", source);
  const auto words = json_or<std::string>(json, "pack_dtype", "int32", source);
  require(words == "int32", "{}: codes packed in \"{}\" are not supported, int32 is", source, words);

  QuantizationConfig config;
  const std::int64_t bits = whole_number(json, "bits", 0, source);
  require(bits == 2 || bits == 3 || bits == 4 || bits == 8, "{}: \"bits\" is {}, expected 2, 3, 4 or 8",
          source, bits);
  config.bits = static_cast<std::uint32_t>(bits);
  const std::int64_t group_size = whole_number(json, "group_size", 0, source);
  require(group_size == -1 || (group_size > 0 && group_size <= 1 << 24),
          "{}: \"group_size\" is {}, expected a positive number, or -1 (per channel)", source, group_size);
  config.group_size = static_cast<int>(group_size);
  config.symmetric = json_or<bool>(json, "sym", true, source);
  config.v2 = format == "gptq_v2";
  config.padded = json_or<bool>(json, "walsh_padded", false, source);
  config.act_order = json_or<bool>(json, "desc_act", false, source);
  return config;
}

OrderedJson to_json(const QuantizationConfig& config) {
  OrderedJson json = {{"quant_method", "gptq"},
                      {"bits", config.bits},
                      {"group_size", config.group_size},
                      {"desc_act", config.act_order},
                      {"sym", config.symmetric},
                      {"lm_head", false},
                      {"checkpoint_format", config.v2 ? "gptq_v2" : "gptq"}};
  if (config.padded) json["walsh_padded"] = true;
  return json;
}

std::string with_quantization_config(std::string_view config_text, const QuantizationConfig& config,
                                     const std::string& source) {
  require(parse_json(config_text, source).is_object(), "{}: expected a JSON object", source);
  auto json = OrderedJson::parse(config_text);
  json["quantization_config"] = to_json(config);
  // Loaders take a model in this type, and in bf16 they would round the scales.
  json.erase("dtype");
  json["torch_dtype"] = "float16";
  return json.dump(2) + "\n";
}

}  // namespace walsh

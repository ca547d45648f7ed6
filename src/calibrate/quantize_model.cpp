#include "calibrate/quantize_model.h"

#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "io/gptq.h"
#include "quantize/rtn.h"

namespace walsh {
namespace {

std::string module_of(const std::string& weight) { return weight.substr(0, weight.rfind('.')); }

double relative_error(const std::vector<float>& weights, const QuantizedMatrix& matrix) {
  double difference = 0, norm = 0;
  for (std::uint32_t i = 0; i < matrix.rows; ++i) {
    for (std::uint32_t j = 0; j < matrix.columns; ++j) {
      const double w = weights[std::size_t{i} * matrix.columns + j];
      const double d = w - static_cast<double>(matrix.weight(i, j));
      difference += d * d;
      norm += w * w;
    }
  }
  return norm > 0 ? std::sqrt(difference / norm) : 0;
}

// What a folder holds beside weights and configuration: the tokenizer and generation settings.
void copy_companions(const std::filesystem::path& from, const std::filesystem::path& to) {
  for (const char* name :
       {"tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json",
        "generation_config.json", "chat_template.jinja", "added_tokens.json", "vocab.json", "merges.txt"}) {
    if (std::filesystem::exists(from / name)) std::filesystem::copy_file(from / name, to / name);
  }
}

}  // namespace

QuantizeResult quantize_model(const WeightSource& source, const std::string& config_text,
                              const std::filesystem::path& out, const QuantizeOptions& options,
                              const std::function<void(const LayerError&)>& progress) {
  require(source.format().bits == 0, "the model is quantised already ({} bits)", source.format().bits);
  const auto weights = list_weights(source.config());
  QuantizeResult result;
  for (const WeightInfo& w : weights) {
    if (w.kind != WeightKind::linear) continue;
    const auto rows = static_cast<std::uint32_t>(w.shape[0]),
               columns = static_cast<std::uint32_t>(w.shape[1]);
    checked_group_size(columns, options.bits, options.group_size, module_of(w.name));
    result.padded = result.padded || needs_padding(rows, columns, options.bits);
  }
  const QuantizationConfig config =
      quantization_config(options.bits, options.group_size, options.symmetric, result.padded);

  std::vector<TensorInfo> tensors;
  for (const WeightInfo& w : weights) {
    if (w.kind == WeightKind::linear) {
      const auto list = gptq_tensor_list(module_of(w.name), static_cast<std::uint32_t>(w.shape[0]),
                                         static_cast<std::uint32_t>(w.shape[1]), config);
      tensors.insert(tensors.end(), list.begin(), list.end());
    } else {
      tensors.push_back({w.name, source.dtype(w), w.shape});
    }
  }
  SafetensorsWriter writer(out / "model.safetensors", tensors, {{"format", "pt"}});
  double bits = 0, count = 0;
  for (const WeightInfo& w : weights) {
    if (w.kind != WeightKind::linear) {
      writer.append(w.name, source.read(w, source.dtype(w)));
      continue;
    }
    const std::string module = module_of(w.name);
    const std::vector<float> values = read_floats(source, w);
    const QuantizedMatrix matrix =
        quantize_rtn(values, static_cast<std::uint32_t>(w.shape[0]), static_cast<std::uint32_t>(w.shape[1]),
                     options.bits, options.group_size, options.symmetric, w.name);
    write_gptq_layer(writer, module, matrix, config);
    result.layers.push_back({module, relative_error(values, matrix)});
    const double group_bits = 16.0 + (options.symmetric ? 0 : options.bits);
    bits += static_cast<double>(values.size()) * options.bits +
            static_cast<double>(matrix.grid.size()) * group_bits;
    count += static_cast<double>(values.size());
    if (progress) progress(result.layers.back());
  }
  writer.publish();
  write_file(out / "config.json", with_quantization_config(config_text, config, "config.json"));
  result.bits_per_weight = bits / count;
  return result;
}

QuantizeResult quantize_model(const std::filesystem::path& model, const std::filesystem::path& out,
                              const QuantizeOptions& options,
                              const std::function<void(const LayerError&)>& progress) {
  const auto source = open_model(model);
  const QuantizeResult result =
      quantize_model(*source, read_text(model / "config.json"), out, options, progress);
  copy_companions(model, out);
  return result;
}

}  // namespace walsh

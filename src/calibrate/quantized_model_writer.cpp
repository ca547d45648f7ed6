#include "calibrate/quantized_model_writer.h"

namespace walsh {
namespace {

std::vector<TensorInfo> tensors_of(const WeightSource& source, const QuantizationConfig& config) {
  std::vector<TensorInfo> tensors;
  for (const WeightInfo& w : list_weights(source.config())) {
    if (w.kind == WeightKind::linear) {
      const auto list = gptq_tensor_list(module_of(w), static_cast<std::uint32_t>(w.shape[0]),
                                         static_cast<std::uint32_t>(w.shape[1]), config);
      tensors.insert(tensors.end(), list.begin(), list.end());
    } else {
      tensors.push_back({w.name, source.dtype(w), w.shape});
    }
  }
  return tensors;
}

}  // namespace

QuantizedModelWriter::QuantizedModelWriter(const WeightSource& source, const std::filesystem::path& folder,
                                           const QuantizationConfig& config)
    : config_(config),
      writer_(folder / "model.safetensors", tensors_of(source, config), Metadata{{"format", "pt"}}) {
  for (const WeightInfo& w : list_weights(source.config()))
    if (w.kind != WeightKind::linear) writer_.append(w.name, source.read(w, source.dtype(w)));
}

void QuantizedModelWriter::append(const std::string& module, const QuantizedMatrix& matrix) {
  write_gptq_layer(writer_, module, matrix, config_);
}

}  // namespace walsh

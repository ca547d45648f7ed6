#include "train/export.h"

#include "base/error.h"
#include "base/file.h"
#include "io/gptq.h"
#include "io/model_folder.h"
#include "io/safetensors.h"
#include "model/model_files.h"
#include "train/export_gguf.h"
#include "train/export_source.h"
#include "train/run_folder.h"

namespace walsh {
namespace {

namespace fs = std::filesystem;

std::uint64_t bytes_of(const fs::path& path) {
  if (!fs::is_directory(path)) return fs::file_size(path);
  std::uint64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(path))
    if (entry.is_regular_file()) bytes += entry.file_size();
  return bytes;
}

/// Embedding, norms, biases and head as they are.
void append_rest(SafetensorsWriter& writer, const WeightSource& base) {
  for (const WeightInfo& weight : list_weights(base.config()))
    if (weight.kind != WeightKind::linear) writer.append(weight.name, base.read(weight, base.dtype(weight)));
}

/// The configuration without a quantisation, or with one.
std::string config_with(const fs::path& model, const QuantizationConfig* quantization) {
  const std::string text = config_text(model);
  if (quantization) return with_quantization_config(text, *quantization, "config.json");
  auto json = OrderedJson::parse(text);
  json.erase("quantization_config");
  return json.dump(2) + "\n";
}

/// safetensors in the base's own dense type.
void export_merged(vk::Device& device, const ExportSource& source, const fs::path& folder,
                   ExportReport& report) {
  const WeightSource& base = source.base();
  const DType dense = base.format().dense;
  std::vector<TensorInfo> tensors;
  for (const WeightInfo& weight : list_weights(base.config()))
    tensors.push_back(
        {weight.name, weight.kind == WeightKind::linear ? dense : base.dtype(weight), weight.shape});
  SafetensorsWriter writer(folder / "model.safetensors", tensors, {{"format", "pt"}});
  source.visit(device, [&](EffectiveLayer&& layer) {
    const auto bytes = to_bytes(layer.weight, dense);
    report.note(
        layer,
        to_floats(
            {.dtype = dense, .shape = {layer.rows, layer.columns}, .bytes = bytes, .source = layer.name}));
    writer.append(layer.name + ".weight", bytes);
  });
  append_rest(writer, base);
  writer.publish();
  write_file(folder / "config.json", config_with(source.model(), nullptr));
  copy_companions(source.model(), folder);
  report.what = fmt::format("merged weights in {}", name_of(dense));
}

/// The base's codes with the grids that were trained.
void export_gptq(vk::Device& device, const ExportSource& source, const fs::path& folder,
                 ExportReport& report) {
  const WeightSource& base = source.base();
  std::vector<EffectiveLayer> layers;
  bool symmetric = true;
  source.visit(device, [&](EffectiveLayer&& layer) {
    require(layer.codes.has_value(),
            "gptq: {} is no quantised matrix in the forward pass of {}, so no codes hold it; use --format "
            "merged, or "
            "adapter",
            layer.name, source.options().method);
    require(!layer.codes->offset,
            "gptq: the grid of {} has float offsets, GPTQ's zeros are whole; use --format gguf", layer.name);
    require(!needs_padding(layer.rows, layer.columns, layer.codes->bits),
            "gptq: {}: {} x {} codes of {} bits do not fill whole 32-bit words, and other tools cannot load "
            "what is "
            "padded",
            layer.name, layer.rows, layer.columns, layer.codes->bits);
    symmetric = symmetric && layer.codes->symmetric;
    layer.weight.clear();
    layers.push_back(std::move(layer));
  });
  const QuantizedMatrix& first = *layers[0].codes;
  bool per_channel = true;
  for (const EffectiveLayer& layer : layers)
    per_channel = per_channel && layer.codes->group_size == layer.columns;
  const QuantizationConfig config = quantization_config(
      first.bits, per_channel ? -1 : static_cast<int>(first.group_size), symmetric, false);
  std::vector<TensorInfo> tensors;
  for (const EffectiveLayer& layer : layers)
    for (const TensorInfo& tensor : gptq_tensor_list(layer.name, layer.rows, layer.columns, config))
      tensors.push_back(tensor);
  for (const WeightInfo& weight : list_weights(base.config()))
    if (weight.kind != WeightKind::linear) tensors.push_back({weight.name, base.dtype(weight), weight.shape});
  SafetensorsWriter writer(folder / "model.safetensors", tensors, {{"format", "pt"}});
  for (const EffectiveLayer& layer : layers) write_gptq_layer(writer, layer.name, *layer.codes, config);
  append_rest(writer, base);
  writer.publish();
  write_file(folder / "config.json", config_with(source.model(), &config));
  copy_companions(source.model(), folder);
  report.what = fmt::format("GPTQ {}, {} bits", config.v2 ? "v2" : "v1", config.bits);
}

}  // namespace

void ExportReport::note(const EffectiveLayer& layer, std::span<const float> held) {
  const double difference = walsh::max_difference(layer.weight, held);
  if (difference > max_difference) worst = layer.name;
  max_difference = std::max(max_difference, difference);
  exact = exact && difference == 0;
}

ExportReport export_run(vk::Device& device, const fs::path& run, const fs::path& out,
                        const ExportOptions& options) {
  require(options.format == "merged" || options.format == "gptq" || options.format == "gguf" ||
              options.format == "adapter",
          "format: found \"{}\", expected one of: merged, gptq, gguf, adapter", options.format);
  require(options.gguf_type.empty() || options.format == "gguf", "--gguf-type: --format is {}, expected gguf",
          options.format);
  require(!out.empty(), "--out is missing: name the {} to write",
          options.format == "gguf" ? "file" : "folder");
  require(!fs::exists(out), "{}: exists already; name a new one", out.string());
  ExportReport report;
  if (options.format == "adapter") {
    require(is_run(run), "{}: not a run of walsh train (no config.yaml and base.json)", run.string());
    StagedFolder staged(out);
    fs::copy(run / "adapter", staged.path(),
             fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    staged.publish();
    report.what = "the adapter as training left it";
    report.bytes = bytes_of(out);
    return report;
  }
  const ExportSource source(run);
  const auto require_allowed = [&] {
    require(report.exact || options.allow_rounding,
            "{} does not hold what {} evaluated: weights change by up to {:.3g} ({}){}; --allow-rounding "
            "writes it all "
            "the same",
            report.what, source.options().method, report.max_difference, report.worst,
            report.advice.empty() ? "" : "; " + report.advice);
  };
  if (options.format == "gguf") {
    export_gguf(device, source, out, options, report, require_allowed);
  } else {
    StagedFolder staged(out);
    (options.format == "merged" ? export_merged : export_gptq)(device, source, staged.path(), report);
    require_allowed();
    staged.publish();
  }
  report.bytes = bytes_of(out);
  return report;
}

}  // namespace walsh

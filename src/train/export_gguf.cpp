#include "train/export_gguf.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/half.h"
#include "io/gguf_tokenizer.h"
#include "io/tokenizer.h"
#include "model/gguf_config.h"
#include "train/gguf_rows.h"

namespace walsh {
namespace {

namespace fs = std::filesystem;

GgmlType dense_type(DType type) {
  return type == DType::f32 ? GgmlType::f32 : type == DType::bf16 ? GgmlType::bf16 : GgmlType::f16;
}

/// The rows of a tensor in the order of the file.
std::vector<std::byte> in_file_order(const ModelConfig& config, const std::string& weight,
                                     std::vector<std::byte> bytes, std::uint64_t rows) {
  if (!rows_move(config, weight)) return bytes;
  const std::size_t width = bytes.size() / rows;
  std::vector<std::byte> moved(bytes.size());
  for (std::uint64_t row = 0; row < rows; ++row)
    std::ranges::copy(std::span(bytes).subspan(row * width, width),
                      moved.begin() + static_cast<std::ptrdiff_t>(gguf_row(config, weight, row) * width));
  return moved;
}

/// One type for all layers, and why it is the one.
GgmlType choose_type(vk::Device& device, const ExportSource& source) {
  bool coded = true;
  std::optional<GgmlType> type;
  source.visit(device, [&](EffectiveLayer&& layer) {
    coded = coded && layer.codes && layer.codes->group_size % 32 == 0 && layer.columns % 32 == 0;
    if (!coded) return;
    const GgmlType one = type_for(layer);
    if (!type || one == GgmlType::q4_1) type = one;
  });
  return coded && type ? *type : dense_type(source.base().format().dense);
}

std::uint32_t file_type(GgmlType type) {  // "general.file_type": what most tensors are
  switch (type) {
    case GgmlType::f32:
      return 0;
    case GgmlType::f16:
      return 1;
    case GgmlType::q4_0:
      return 2;
    case GgmlType::q4_1:
      return 3;
    case GgmlType::q8_0:
      return 7;
    default:
      return 32;  // BF16
  }
}

std::vector<GgufValue> metadata(const ExportSource& source, GgmlType type) {
  std::vector<GgufValue> values;
  if (Gguf::named(source.model())) {
    const Gguf file = Gguf::open(source.model());
    for (const GgufEntry& entry : file.entries())
      if (entry.key != "general.file_type" && entry.key != "general.quantization_version" &&
          entry.key != "general.alignment")
        values.push_back(gguf_copy(entry));
  } else {
    values = config_values(source.config());
    values.push_back(gguf_text("general.name", fs::absolute(source.model()).filename().string()));
    if (Tokenizer::present(source.model())) {
      for (GgufValue& value : tokenizer_values(source.model(), source.config().vocabulary_size))
        values.push_back(std::move(value));
    } else {
      values.push_back(gguf_text("tokenizer.ggml.model", "none"));
    }
  }
  values.push_back(gguf_count("general.file_type", file_type(type)));
  values.push_back(gguf_count("general.quantization_version", 2));
  return values;
}

void write_new(vk::Device& device, const ExportSource& source, const fs::path& out, GgmlType type,
               ExportReport& report, const std::function<void()>& require_allowed) {
  const WeightSource& base = source.base();
  const ModelConfig& config = source.config();
  const auto type_of = [&](const WeightInfo& weight) {
    if (weight.kind == WeightKind::linear) return type;
    const bool small = weight.kind == WeightKind::norm || weight.kind == WeightKind::bias;
    return small ? GgmlType::f32 : dense_type(base.dtype(weight));
  };
  const auto weights = list_weights(config);
  std::vector<GgufTensorInfo> tensors;
  for (const WeightInfo& weight : weights)
    tensors.push_back({gguf_name(weight.name), type_of(weight), weight.shape});
  const std::vector<float> factors = frequency_factors(config);
  const bool scaled = config.rope.scaling == RopeScaling::llama3 || !config.rope.factors.empty();
  if (scaled) tensors.push_back({"rope_freqs.weight", GgmlType::f32, {factors.size()}});
  GgufWriter writer(out, metadata(source, type), tensors);
  if (scaled) writer.append("rope_freqs.weight", std::as_bytes(std::span(factors)));
  source.visit(device, [&](EffectiveLayer&& layer) {
    const std::string name = layer.name + ".weight";
    std::vector<std::byte> bytes = to_blocks(layer, type);
    std::vector<float> held(layer.weight.size());
    dequantize(type, bytes, held);
    report.note(layer, held);
    writer.append(gguf_name(name), in_file_order(config, name, std::move(bytes), layer.rows));
  });
  for (const WeightInfo& weight : weights) {
    if (weight.kind == WeightKind::linear) continue;
    const DType held = type_of(weight) == GgmlType::f32 ? DType::f32 : base.dtype(weight);
    writer.append(gguf_name(weight.name),
                  in_file_order(config, weight.name, base.read(weight, held), weight.shape[0]));
  }
  require_allowed();
  writer.publish();
}

/// The base's own file with the trained grids in its blocks.
void write_back(vk::Device& device, const ExportSource& source, const fs::path& out, ExportReport& report,
                const std::function<void()>& require_allowed) {
  const Gguf file = Gguf::open(source.model());
  FileWriter writer(out);
  writer.write_at(0, file.bytes());
  source.visit(device, [&](EffectiveLayer&& layer) {
    const std::string name = layer.name + ".weight";
    const GgufTensor& tensor = file.at(gguf_name(name));
    const std::size_t block_bytes = format_of(tensor.type).bytes,
                      row_bytes = tensor.bytes.size() / layer.rows;
    std::vector<std::byte> bytes(tensor.bytes.begin(), tensor.bytes.end());
    std::vector<float> held;
    for (std::uint32_t row = 0; row < layer.rows; ++row) {
      const auto stored =
          std::span(bytes).subspan(gguf_row(source.config(), name, row) * row_bytes, row_bytes);
      for (std::uint32_t k = 0; k < layer.columns / 32; ++k) {
        const std::uint32_t word = layer.codes->grid[std::size_t{row} * layer.codes->groups() + k];
        const auto block = stored.subspan(k * block_bytes, block_bytes);
        write_grid(tensor.type, static_cast<std::uint16_t>(word), static_cast<std::uint16_t>(word >> 16),
                   block);
      }
      std::vector<float> values(layer.columns);
      dequantize(tensor.type, stored, values);
      held.insert(held.end(), values.begin(), values.end());
    }
    report.note(layer, held);
    writer.write_at(tensor.offset, bytes);
  });
  require_allowed();
  writer.publish();
}

}  // namespace

void export_gguf(vk::Device& device, const ExportSource& source, const fs::path& out,
                 const ExportOptions& options, ExportReport& report,
                 const std::function<void()>& require_allowed) {
  const bool from_gguf = source.base_is_gguf();
  if (from_gguf && options.gguf_type.empty() && source.keeps_codes(device)) {
    report.what = fmt::format("{} with trained grids", source.model().filename().string());
    write_back(device, source, out, report, require_allowed);
    return;
  }
  constexpr std::array written{GgmlType::f32,  GgmlType::f16,  GgmlType::bf16,
                               GgmlType::q8_0, GgmlType::q4_0, GgmlType::q4_1};
  const GgmlFormat* format = find_ggml_format(options.gguf_type);
  require(options.gguf_type.empty() || (format && std::ranges::find(written, format->type) != written.end()),
          "gguf-type: found \"{}\", expected one of: F32, F16, BF16, Q8_0, Q4_0, Q4_1", options.gguf_type);
  const GgmlType type = format ? format->type : choose_type(device, source);
  report.what = std::string(format_of(type).name);
  if (type == GgmlType::q4_1)
    report.advice =
        "its minima must be 16-bit numbers, and -scale x zero are not; --gguf-type Q8_0 holds them";
  write_new(device, source, out, type, report, require_allowed);
}

}  // namespace walsh

#include "io/adapter.h"

#include <xxhash.h>

#include <array>
#include <bit>
#include <cmath>
#include <memory>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "io/safetensors.h"

namespace walsh {
namespace {

constexpr const char* format_name = "walsh-qwha";
constexpr const char* no_transform_name = "none";
constexpr int format_version = 1;
/// The order of the transform's factors: bases outside, Sylvester matrices in natural order inside.
constexpr const char* transform_name = "hadamard-bases-outer-natural";
constexpr std::uint32_t most_columns = 65536;  // a column index has 16 bits
constexpr std::uint32_t most_rows = 1u << 24;

std::uint32_t whole_number(const Json& json, const char* key, std::uint32_t lowest, std::uint32_t largest,
                           const std::string& source) {
  const auto it = json.find(key);
  require(it != json.end() && it->is_number_integer() && it->get<std::int64_t>() >= lowest &&
              it->get<std::int64_t>() <= largest,
          "{}: \"{}\" is not a whole number from {} to {}", source, key, lowest, largest);
  return it->get<std::uint32_t>();
}

void require_construction(const AdapterLayer& layer, const std::string& source) {
  std::uint64_t width = layer.m2;
  bool ok = std::has_single_bit(layer.m2);
  for (const std::uint32_t base : layer.bases) {
    ok = ok && base > 1 && base <= most_columns && width <= most_columns;
    width *= base;
  }
  require(ok && width == layer.columns, "{}: Hadamard bases {} and m2 {} do not give the width {}", source,
          fmt::join(layer.bases, " x "), layer.m2, layer.columns);
}

void require_rows(const AdapterLayer& layer, const std::string& source) {
  require(layer.row_ptr.size() == std::size_t{layer.rows} + 1 && layer.row_ptr.front() == 0 &&
              layer.row_ptr.back() == layer.col.size() && layer.values.size() == layer.col.size(),
          "{}: {} row pointers, {} columns and {} values do not fit {} rows", source, layer.row_ptr.size(),
          layer.col.size(), layer.values.size(), layer.rows);
  for (std::uint32_t i = 0; i < layer.rows; ++i)
    require(layer.row_ptr[i] <= layer.row_ptr[i + 1], "{}: row {} ends before it begins", source, i);
  for (std::uint32_t i = 0; i < layer.rows; ++i) {
    for (std::uint32_t l = layer.row_ptr[i]; l < layer.row_ptr[i + 1]; ++l) {
      require(layer.col[l] < layer.columns, "{}: column {} in row {}, the width is {}", source, layer.col[l],
              i, layer.columns);
      require(l == layer.row_ptr[i] || layer.col[l - 1] < layer.col[l],
              "{}: the columns of row {} do not ascend", source, i);
      require(std::isfinite(layer.values[l]), "{}: a value of row {} is not a finite number", source, i);
    }
  }
}

AdapterLayer parse_layer(const std::string& name, const Json& json, bool hadamard,
                         const std::string& source) {
  require(json.is_object(), "{}: not an object", source);
  AdapterLayer layer;
  layer.name = name;
  layer.rows = whole_number(json, "rows", 1, most_rows, source);
  layer.columns = whole_number(json, "columns", 1, most_columns, source);
  layer.base = json_at<std::string>(json, "base", source);
  if (!hadamard) return layer;
  layer.m2 = whole_number(json, "m2", 1, most_columns, source);
  const auto bases = json_at<std::vector<std::int64_t>>(json, "bases", source);
  for (const std::int64_t base : bases) {
    require(base > 1 && base <= most_columns, "{}: a Hadamard base of {}", source, base);
    layer.bases.push_back(static_cast<std::uint32_t>(base));
  }
  require_construction(layer, source);
  return layer;
}

}  // namespace

std::string fingerprint(const QuantizedMatrix& matrix) {
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(),
                                                                              XXH3_freeState);
  XXH3_128bits_reset(state.get());
  const auto add = [&](const auto& words) {
    XXH3_128bits_update(state.get(), words.data(), 4 * words.size());
  };
  add(std::array<std::uint32_t, 4>{matrix.rows, matrix.columns, matrix.bits, matrix.group_size});
  add(matrix.codes);
  add(matrix.grid);
  add(matrix.position);
  const XXH128_hash_t hash = XXH3_128bits_digest(state.get());
  return fmt::format("xxh3-{:016x}{:016x}", hash.high64, hash.low64);
}

void write_adapter(const std::filesystem::path& folder, const Adapter& adapter) {
  OrderedJson config = {{"format", format_name},
                        {"version", format_version},
                        {"transform", adapter.hadamard ? transform_name : no_transform_name},
                        {"rank", adapter.rank},
                        {"scale", adapter.scale},
                        {"bits", adapter.bits},
                        {"group_size", adapter.group_size},
                        {"layers", OrderedJson::object()}};
  std::vector<NamedTensor> tensors;
  for (const AdapterLayer& layer : adapter.layers) {
    require_rows(layer, layer.name);
    OrderedJson& entry = config["layers"][layer.name];
    entry = {{"rows", layer.rows}, {"columns", layer.columns}};
    if (adapter.hadamard) {
      require_construction(layer, layer.name);
      entry["bases"] = layer.bases;
      entry["m2"] = layer.m2;
    }
    entry["base"] = layer.base;
    const std::uint64_t count = layer.col.size();
    tensors.push_back({layer.name + ".row_ptr",
                       DType::u32,
                       {layer.row_ptr.size()},
                       std::as_bytes(std::span(layer.row_ptr))});
    tensors.push_back({layer.name + ".col", DType::u16, {count}, std::as_bytes(std::span(layer.col))});
    tensors.push_back({layer.name + ".values", DType::f32, {count}, std::as_bytes(std::span(layer.values))});
  }
  write_safetensors(folder / "adapter_model.safetensors", tensors, {{"format", format_name}});
  write_file(folder / "adapter_config.json", config.dump(2) + "\n");
}

Adapter read_adapter(const std::filesystem::path& folder) {
  const auto config_path = folder / "adapter_config.json";
  const std::string source = config_path.string();
  const Json json = read_json(config_path);
  const auto format = json_or<std::string>(json, "format", "no format", source);
  require(format == format_name, "{}: format \"{}\", expected \"{}\" (an adapter of another tool?)", source,
          format, format_name);
  whole_number(json, "version", format_version, format_version, source);
  const auto transform = json_at<std::string>(json, "transform", source);
  require(transform == transform_name || transform == no_transform_name,
          "{}: transform \"{}\" is not known, {} and {} are", source, transform, transform_name,
          no_transform_name);

  Adapter adapter;
  adapter.hadamard = transform == transform_name;
  adapter.rank = whole_number(json, "rank", 1, most_columns, source);
  adapter.scale = json_at<double>(json, "scale", source);
  require(std::isfinite(adapter.scale) && adapter.scale > 0, "{}: \"scale\" is {}, expected a number above 0",
          source, adapter.scale);
  adapter.bits = whole_number(json, "bits", 2, 8, source);
  adapter.group_size = whole_number(json, "group_size", 0, most_columns, source);
  const auto layers = json.find("layers");
  require(layers != json.end() && layers->is_object() && !layers->empty(), "{}: \"layers\" names no layer",
          source);

  const Safetensors tensors = Safetensors::open(folder / "adapter_model.safetensors");
  for (const auto& [name, entry] : layers->items()) {
    AdapterLayer layer = parse_layer(name, entry, adapter.hadamard, source + ": " + name);
    const TensorView& values = tensors.at(name + ".values");
    layer.row_ptr = to_values<std::uint32_t>(tensors.at(name + ".row_ptr"), DType::u32);
    layer.col = to_values<std::uint16_t>(tensors.at(name + ".col"), DType::u16);
    layer.values = to_floats(values);
    require_rows(layer, tensors.path().string() + ": " + name);
    adapter.layers.push_back(std::move(layer));
  }
  require(tensors.names().size() == 3 * adapter.layers.size(),
          "{}: {} tensors, expected 3 for each of {} layers", tensors.path().string(), tensors.names().size(),
          adapter.layers.size());
  return adapter;
}

void require_base(const AdapterLayer& layer, const QuantizedMatrix& base, const std::string& source) {
  require(layer.rows == base.rows && layer.columns == base.columns,
          "{}: {} is {} x {} in the adapter, {} x {} in the "
          "base; use the base that the adapter was trained on",
          source, layer.name, layer.rows, layer.columns, base.rows, base.columns);
  const std::string found = fingerprint(base);
  require(layer.base == found,
          "{}: made for another base: {} has fingerprint {}, expected {}; use the base that the adapter was "
          "trained on",
          source, layer.name, found, layer.base);
}

}  // namespace walsh

#include "io/safetensors.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <set>

#include "base/half.h"
#include "base/json.h"

namespace walsh {
namespace {

/// The bound that the format's own reader sets.
constexpr std::uint64_t longest_header = 100'000'000;
constexpr std::size_t most_dimensions = 16;

struct TypeName {
  std::string_view name;
  DType dtype;
};
constexpr std::array<TypeName, 9> type_names = {{{"F32", DType::f32},
                                                 {"F16", DType::f16},
                                                 {"BF16", DType::bf16},
                                                 {"U32", DType::u32},
                                                 {"I32", DType::i32},
                                                 {"U16", DType::u16},
                                                 {"I64", DType::i64},
                                                 {"U8", DType::u8},
                                                 {"I8", DType::i8}}};

std::string_view type_name(DType dtype) {
  return std::ranges::find(type_names, dtype, &TypeName::dtype)->name;
}

/// Bytes of a tensor, or nothing where the product leaves 64 bits.
std::optional<std::uint64_t> byte_size(DType dtype, std::span<const std::uint64_t> shape) {
  std::uint64_t bytes = size_of(dtype);
  for (const std::uint64_t extent : shape) {
    if (extent != 0 && bytes > std::numeric_limits<std::uint64_t>::max() / extent) return std::nullopt;
    bytes *= extent;
  }
  return bytes;
}

std::uint64_t little_endian_64(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i)
    value |= std::uint64_t{std::to_integer<std::uint8_t>(bytes[i])} << (8 * i);
  return value;
}

Json parse_header(std::string_view text, const std::string& file) {
  // The parser keeps the last of two equal keys, so names are counted as they pass.
  std::set<std::string> names;
  std::string twice;
  const auto on_event = [&](int depth, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::key && depth == 1 && !names.insert(value.get<std::string>()).second)
      twice = value.get<std::string>();
    return true;
  };
  require_shallow(text, file);
  try {
    Json header = Json::parse(text, on_event);
    require(header.is_object(), "{}: the header is not a JSON object", file);
    require(twice.empty(), "{}: tensor \"{}\" stands in the header twice", file, twice);
    return header;
  } catch (const Json::exception&) {
    refuse("{}: the header is not valid JSON", file);
  }
}

std::vector<std::uint64_t> unsigned_list(const Json& entry, const char* key, const std::string& source) {
  const auto it = entry.find(key);
  const bool ok = it != entry.end() && it->is_array() && it->size() <= most_dimensions &&
                  std::ranges::all_of(*it, [](const Json& value) { return value.is_number_unsigned(); });
  require(ok, "{}: \"{}\" is not a short list of whole numbers from 0", source, key);
  return it->get<std::vector<std::uint64_t>>();
}

TensorView parse_tensor(const Json& entry, std::span<const std::byte> data, const std::string& source) {
  require(entry.is_object(), "{}: the header's entry is not an object", source);
  const auto type = json_at<std::string>(entry, "dtype", source);
  const auto known = std::ranges::find(type_names, type, &TypeName::name);
  require(known != type_names.end(), "{}: type \"{}\" is not supported (F32, F16, BF16 and integers are)",
          source, type);
  TensorView tensor{known->dtype, unsigned_list(entry, "shape", source), {}, source};
  const auto offsets = unsigned_list(entry, "data_offsets", source);
  require(offsets.size() == 2 && offsets[0] <= offsets[1], "{}: \"data_offsets\" is not a begin and an end",
          source);
  require(offsets[1] <= data.size(), "{}: ends at byte {} of the data, which has {} (truncated file?)",
          source, offsets[1], data.size());
  const auto size = byte_size(tensor.dtype, tensor.shape);
  require(size == offsets[1] - offsets[0], "{}: {} bytes do not hold {} of shape {}", source,
          offsets[1] - offsets[0], type, shape_text(tensor.shape));
  tensor.bytes = data.subspan(offsets[0], offsets[1] - offsets[0]);
  return tensor;
}

/// The tensors of a file must fill its data in order, with neither gaps nor overlaps.
void require_contiguous(std::vector<const TensorView*> tensors, std::span<const std::byte> data,
                        const std::string& file) {
  std::ranges::sort(tensors, [](const TensorView* a, const TensorView* b) {
    return std::pair(a->bytes.data(), a->bytes.size()) < std::pair(b->bytes.data(), b->bytes.size());
  });
  const std::byte* end = data.data();
  for (const TensorView* tensor : tensors) {
    require(tensor->bytes.data() >= end, "{}: overlaps another tensor", tensor->source);
    require(tensor->bytes.data() == end, "{}: a gap in the data before it", tensor->source);
    end = tensor->bytes.data() + tensor->bytes.size();
  }
  require(end == data.data() + data.size(), "{}: {} bytes after the last tensor", file,
          data.data() + data.size() - end);
}

}  // namespace

Safetensors Safetensors::open(const std::filesystem::path& path) {
  Safetensors result;
  result.path_ = path;
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    result.add_file(path);
    return result;
  }
  const auto single = path / "model.safetensors";
  const auto index = path / "model.safetensors.index.json";
  if (std::filesystem::exists(single, error)) {
    result.add_file(single);
  } else {
    require(std::filesystem::exists(index, error),
            "{}: neither model.safetensors nor model.safetensors.index.json is there", path.string());
    result.add_shards(path, index);
  }
  return result;
}

void Safetensors::add_file(const std::filesystem::path& path) {
  const std::string file = path.string();
  const auto bytes = files_.emplace_back(path).bytes();
  require(bytes.size() >= 8, "{}: {} bytes are too few for a safetensors file", file, bytes.size());
  const std::uint64_t length = little_endian_64(bytes);
  require(length <= longest_header, "{}: a header of {} bytes is not plausible (not a safetensors file?)",
          file, length);
  require(length <= bytes.size() - 8, "{}: the header of {} bytes ends beyond the file of {}", file, length,
          bytes.size());
  const auto data = bytes.subspan(8 + length);
  const Json header = parse_header({reinterpret_cast<const char*>(bytes.data()) + 8, length}, file);

  std::vector<const TensorView*> added;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      if (entry.is_null()) continue;  // some writers put null for none
      require(entry.is_object(), "{}: \"__metadata__\" is not an object", file);
      for (const auto& [key, value] : entry.items())
        if (value.is_string()) metadata_[key] = value.get<std::string>();
      continue;
    }
    const auto [at, is_new] = tensors_.try_emplace(name, parse_tensor(entry, data, file + ": " + name));
    require(is_new, "{}: {} is in another shard too", file, name);
    added.push_back(&at->second);
  }
  require_contiguous(std::move(added), data, file);
}

void Safetensors::add_shards(const std::filesystem::path& folder, const std::filesystem::path& index) {
  const std::string source = index.string();
  const auto names = json_at<std::map<std::string, std::string>>(read_json(index), "weight_map", source);
  std::set<std::string> shards;
  for (const auto& [name, shard] : names) {
    const std::filesystem::path file = shard;
    require(!shard.empty() && file.filename() == file && shard != "." && shard != "..",
            "{}: shard \"{}\" is not a file name in the folder", source, shard);
    shards.insert(shard);
  }
  require(!shards.empty(), "{}: lists no tensor", source);
  for (const std::string& shard : shards) {
    std::error_code error;
    require(std::filesystem::exists(folder / shard, error), "{}: shard {} is missing", folder.string(),
            shard);
    add_file(folder / shard);
  }
  for (const auto& [name, shard] : names) {
    const TensorView* tensor = find(name);
    require(tensor && tensor->source == (folder / shard).string() + ": " + name,
            "{}: {} is not in {} as {} says", folder.string(), name, shard, index.filename().string());
  }
}

const TensorView* Safetensors::find(std::string_view name) const {
  const auto it = tensors_.find(name);
  return it == tensors_.end() ? nullptr : &it->second;
}

const TensorView& Safetensors::at(std::string_view name) const {
  const TensorView* tensor = find(name);
  require(tensor != nullptr, "{}: tensor {} is missing", path_.string(), name);
  return *tensor;
}

std::vector<std::string> Safetensors::names() const {
  std::vector<std::string> result;
  for (const auto& entry : tensors_) result.push_back(entry.first);
  return result;
}

std::string shape_text(std::span<const std::uint64_t> shape) {
  return shape.empty() ? "()" : fmt::format("{}", fmt::join(shape, " x "));
}

void require_shape(const TensorView& tensor, std::span<const std::uint64_t> shape) {
  require(std::ranges::equal(tensor.shape, shape), "{}: shape {}, expected {}", tensor.source,
          shape_text(tensor.shape), shape_text(shape));
}

void read_floats(const TensorView& tensor, std::uint64_t first, std::span<float> out) {
  require(first <= tensor.elements() && out.size() <= tensor.elements() - first,
          "{}: elements {} to {} asked for, it has {}", tensor.source, first, first + out.size(),
          tensor.elements());
  const auto bytes = tensor.bytes.subspan(first * size_of(tensor.dtype));
  const auto halves = [&](float (*convert)(std::uint16_t)) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      std::uint16_t bits;
      std::memcpy(&bits, bytes.data() + 2 * i, 2);
      out[i] = convert(bits);
    }
  };
  switch (tensor.dtype) {
    case DType::f32:
      if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size_bytes());
      return;
    case DType::f16:
      return halves(f16_to_float);
    case DType::bf16:
      return halves(bf16_to_float);
    default:
      refuse("{}: type {}, expected f32, f16 or bf16", tensor.source, name_of(tensor.dtype));
  }
}

std::vector<float> to_floats(const TensorView& tensor) {
  std::vector<float> values(tensor.elements());
  read_floats(tensor, 0, values);
  return values;
}

std::vector<float> to_floats(const TensorView& tensor, std::uint64_t first_row, std::uint64_t rows) {
  require(!tensor.shape.empty() && first_row <= tensor.shape[0] && rows <= tensor.shape[0] - first_row,
          "{}: {} rows from {} asked for, shape {}", tensor.source, rows, first_row,
          shape_text(tensor.shape));
  const std::uint64_t width = tensor.shape[0] == 0 ? 0 : tensor.elements() / tensor.shape[0];
  std::vector<float> values(rows * width);
  read_floats(tensor, first_row * width, values);
  return values;
}

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorInfo> tensors,
                                     const Metadata& metadata)
    : file_(path) {
  std::ranges::stable_sort(tensors, std::greater<>{}, [](const TensorInfo& t) { return size_of(t.dtype); });
  auto header = OrderedJson::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t end = 0;
  for (const TensorInfo& tensor : tensors) {
    const auto size = byte_size(tensor.dtype, tensor.shape);
    require(size && *size <= std::numeric_limits<std::int64_t>::max() - end, "{}: {} is too big",
            path.string(), tensor.name);
    require(file_.announce(tensor.name, end, *size), "{}: {} is listed twice", path.string(), tensor.name);
    header[tensor.name] = {
        {"dtype", type_name(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {end, end + *size}}};
    end += *size;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  std::string bytes;
  for (std::size_t i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(text.size() >> (8 * i)));
  file_.write_header(std::as_bytes(std::span(bytes += text)));
}

void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const Metadata& metadata) {
  std::vector<TensorInfo> infos;
  for (const NamedTensor& tensor : tensors) infos.push_back({tensor.name, tensor.dtype, tensor.shape});
  SafetensorsWriter writer(path, std::move(infos), metadata);
  for (const NamedTensor& tensor : tensors) writer.append(tensor.name, tensor.bytes);
  writer.publish();
}

}  // namespace walsh

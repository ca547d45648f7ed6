#include "io/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "io/utf8.h"

namespace walsh {
namespace {

constexpr std::uint64_t longest_name = 1 << 16;
constexpr std::uint64_t most_dimensions = 4;
constexpr std::uint32_t largest_alignment = 1 << 16;

/// Takes values off the front of a stretch of bytes, never beyond its end.
class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, const std::string& source) : bytes_(bytes), source_(source) {}

  std::uint64_t left() const { return bytes_.size() - at_; }
  std::size_t at() const { return at_; }
  std::span<const std::byte> since(std::size_t start) const { return bytes_.subspan(start, at_ - start); }

  std::span<const std::byte> take(std::uint64_t count) {
    require(count <= left(), "{}: cut short: {} bytes needed at byte {}, {} are there", source_, count, at_,
            left());
    at_ += count;
    return bytes_.subspan(at_ - count, count);
  }
  template <typename T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string_view text() {
    const auto bytes = take(number<std::uint64_t>());
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::string name(const char* what) {
    const std::string_view name = text();
    require(!name.empty() && name.size() <= longest_name, "{}: a {} of {} bytes at byte {}, expected 1 to {}",
            source_, what, name.size(), at_, longest_name);
    return std::string(name);
  }
  GgufType type() {
    const auto number = this->number<std::uint32_t>();
    require(number <= static_cast<std::uint32_t>(GgufType::f64),
            "{}: metadata type {} at byte {} is not known", source_, number, at_ - 4);
    return static_cast<GgufType>(number);
  }
  void skip_value(GgufType type) {
    if (const auto size = size_of(type)) {
      take(*size);
    } else if (type == GgufType::text) {
      text();
    } else {
      skip_array();
    }
  }

 private:
  void skip_array() {
    const GgufType of = type();
    const auto count = number<std::uint64_t>();
    require(of != GgufType::array, "{}: an array of arrays at byte {} is not supported", source_, at_);
    const std::uint64_t each = size_of(of).value_or(8);  // a text is eight bytes at the least
    require(count <= left() / each, "{}: cut short: an array of {} values at byte {}, {} bytes are there",
            source_, count, at_, left());
    if (of != GgufType::text) {
      take(count * each);
      return;
    }
    for (std::uint64_t i = 0; i < count; ++i) text();
  }

  std::span<const std::byte> bytes_;
  const std::string& source_;
  std::size_t at_ = 0;
};

/// Bytes of a tensor, refused where its shape and type do not fit together.
std::uint64_t byte_size(const GgufTensor& tensor) {
  const GgmlFormat& format = format_of(tensor.type);
  std::uint64_t blocks = tensor.shape.back() / format.weights;
  require(tensor.shape.back() % format.weights == 0, "{}: rows of {} weights are not whole blocks of {} ({})",
          tensor.source, tensor.shape.back(), format.weights, format.name);
  for (std::size_t i = 0; i + 1 < tensor.shape.size(); ++i) {
    require(blocks <= std::numeric_limits<std::uint64_t>::max() / format.bytes / tensor.shape[i],
            "{}: its shape is not plausible", tensor.source);
    blocks *= tensor.shape[i];
  }
  require(blocks <= std::numeric_limits<std::uint64_t>::max() / format.bytes,
          "{}: its shape is not plausible", tensor.source);
  return blocks * format.bytes;
}

GgufTensor read_tensor(Cursor& cursor, const std::string& file) {
  GgufTensor tensor;
  tensor.name = cursor.name("tensor's name");
  tensor.source = file + ": " + in_quotes(tensor.name);
  const auto dimensions = cursor.number<std::uint32_t>();
  require(dimensions >= 1 && dimensions <= most_dimensions, "{}: {} dimensions, expected 1 to {}",
          tensor.source, dimensions, most_dimensions);
  for (std::uint32_t i = 0; i < dimensions; ++i) tensor.shape.push_back(cursor.number<std::uint64_t>());
  std::ranges::reverse(tensor.shape);  // a file names the innermost first
  require(std::ranges::all_of(tensor.shape, [](auto extent) { return extent > 0; }), "{}: a dimension of 0",
          tensor.source);
  const auto type = cursor.number<std::uint32_t>();
  const GgmlFormat* format = find_ggml_format(type);
  if (!format) {
    std::string known;
    for (const GgmlFormat& f : ggml_formats()) known.append(" ").append(f.name);
    refuse("{}: tensor type {} is not supported;{} are", tensor.source, type, known);
  }
  tensor.type = format->type;
  tensor.offset = cursor.number<std::uint64_t>();
  return tensor;
}

void require_apart(const std::vector<GgufTensor>& tensors) {
  std::vector<const GgufTensor*> order;
  for (const GgufTensor& tensor : tensors) order.push_back(&tensor);
  std::ranges::sort(order, {}, &GgufTensor::offset);
  for (std::size_t i = 1; i < order.size(); ++i)
    require(order[i]->offset >= order[i - 1]->offset + order[i - 1]->bytes.size(), "{}: overlaps {}",
            order[i]->source, in_quotes(order[i - 1]->name));
}

template <typename T>
T value_at(std::span<const std::byte> bytes, std::size_t index = 0) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

/// An integer of any type; nothing where it is none, or does not fit 64 signed bits.
std::optional<std::int64_t> integer_at(GgufType type, std::span<const std::byte> bytes,
                                       std::size_t index = 0) {
  switch (type) {
    case GgufType::u8:
      return value_at<std::uint8_t>(bytes, index);
    case GgufType::i8:
      return value_at<std::int8_t>(bytes, index);
    case GgufType::u16:
      return value_at<std::uint16_t>(bytes, index);
    case GgufType::i16:
      return value_at<std::int16_t>(bytes, index);
    case GgufType::u32:
      return value_at<std::uint32_t>(bytes, index);
    case GgufType::i32:
      return value_at<std::int32_t>(bytes, index);
    case GgufType::i64:
      return value_at<std::int64_t>(bytes, index);
    case GgufType::u64: {
      const auto value = value_at<std::uint64_t>(bytes, index);
      if (value <= std::numeric_limits<std::int64_t>::max()) return static_cast<std::int64_t>(value);
      return std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

/// An array's element type, its length and its elements.
struct Array {
  GgufType of = GgufType::u8;
  std::uint64_t count = 0;
  std::span<const std::byte> bytes;
};
std::optional<Array> array_of(const GgufEntry& entry) {
  if (entry.type != GgufType::array) return std::nullopt;
  return Array{static_cast<GgufType>(value_at<std::uint32_t>(entry.bytes)),
               value_at<std::uint64_t>(entry.bytes.subspan(4)), entry.bytes.subspan(12)};
}

}  // namespace

std::optional<std::uint32_t> size_of(GgufType type) {
  switch (type) {
    case GgufType::u8:
    case GgufType::i8:
    case GgufType::boolean:
      return 1;
    case GgufType::u16:
    case GgufType::i16:
      return 2;
    case GgufType::u32:
    case GgufType::i32:
    case GgufType::f32:
      return 4;
    case GgufType::u64:
    case GgufType::i64:
    case GgufType::f64:
      return 8;
    case GgufType::text:
    case GgufType::array:
      break;
  }
  return std::nullopt;
}

bool Gguf::named(const std::filesystem::path& path) {
  return path.extension() == ".gguf" && !std::filesystem::is_directory(path);
}

Gguf Gguf::open(const std::filesystem::path& path) { return Gguf(MappedFile(path)); }

Gguf::Gguf(MappedFile file) : file_(std::move(file)) {
  static_assert(std::endian::native == std::endian::little);
  const std::string source = path().string();
  Cursor cursor(file_.bytes(), source);
  const auto magic = cursor.take(4);
  require(std::memcmp(magic.data(), "GGUF", 4) == 0, "{}: not a GGUF file", source);
  const auto version = cursor.number<std::uint32_t>();
  require(version == 2 || version == 3, "{}: GGUF version {}, expected 2 or 3 (little endian)", source,
          version);
  const auto tensor_count = cursor.number<std::uint64_t>(), entry_count = cursor.number<std::uint64_t>();
  // The least that an entry and a tensor take: lengths, types, a letter of a name and a value.
  require(entry_count <= cursor.left() / 14, "{}: {} metadata entries in {} bytes", source, entry_count,
          cursor.left());
  for (std::uint64_t i = 0; i < entry_count; ++i) {
    GgufEntry entry;
    entry.key = cursor.name("key");
    entry.type = cursor.type();
    const std::size_t start = cursor.at();
    cursor.skip_value(entry.type);
    entry.bytes = cursor.since(start);
    require(entry_of_.emplace(entry.key, entries_.size()).second, "{}: key {} is there twice", source,
            in_quotes(entry.key));
    entries_.push_back(std::move(entry));
  }
  require(tensor_count <= cursor.left() / 33, "{}: {} tensors in {} bytes", source, tensor_count,
          cursor.left());
  for (std::uint64_t i = 0; i < tensor_count; ++i) {
    GgufTensor tensor = read_tensor(cursor, source);
    require(tensor_of_.emplace(tensor.name, tensors_.size()).second, "{}: is there twice", tensor.source);
    tensors_.push_back(std::move(tensor));
  }
  const std::uint64_t alignment = count("general.alignment").value_or(32);
  require(std::has_single_bit(alignment) && alignment >= 8 && alignment <= largest_alignment,
          "{}: \"general.alignment\" is {}, expected a power of two from 8 to {}", source, alignment,
          largest_alignment);
  const std::uint64_t data = (cursor.at() + alignment - 1) / alignment * alignment;
  const std::uint64_t room = file_.bytes().size() > data ? file_.bytes().size() - data : 0;
  for (GgufTensor& tensor : tensors_) {
    const std::uint64_t size = byte_size(tensor);
    require(tensor.offset % alignment == 0, "{}: offset {} is not a multiple of {}", tensor.source,
            tensor.offset, alignment);
    require(tensor.offset <= room && size <= room - tensor.offset,
            "{}: {} bytes at offset {} reach beyond the file's {} bytes of data; it is cut short",
            tensor.source, size, tensor.offset, room);
    tensor.offset += data;
    tensor.bytes = file_.bytes().subspan(tensor.offset, size);
  }
  require_apart(tensors_);
}

const GgufEntry* Gguf::find(std::string_view key) const {
  const auto it = entry_of_.find(key);
  return it == entry_of_.end() ? nullptr : &entries_[it->second];
}

void Gguf::refuse_kind(std::string_view key, std::string_view expected) const {
  refuse("{}: the value of \"{}\" is not {}", path().string(), key, expected);
}

std::optional<std::string> Gguf::text(std::string_view key) const {
  const GgufEntry* entry = find(key);
  if (!entry) return std::nullopt;
  if (entry->type != GgufType::text) refuse_kind(key, "a text");
  Cursor cursor(entry->bytes, entry->key);
  return std::string(cursor.text());
}

std::optional<std::uint64_t> Gguf::count(std::string_view key) const {
  const GgufEntry* entry = find(key);
  if (!entry) return std::nullopt;
  const auto value = integer_at(entry->type, entry->bytes);
  if (!value || *value < 0) refuse_kind(key, "a whole number from 0");
  return static_cast<std::uint64_t>(*value);
}

std::optional<double> Gguf::real(std::string_view key) const {
  const GgufEntry* entry = find(key);
  if (!entry) return std::nullopt;
  if (entry->type == GgufType::f32) return value_at<float>(entry->bytes);
  if (entry->type == GgufType::f64) return value_at<double>(entry->bytes);
  refuse_kind(key, "a number");
}

std::optional<bool> Gguf::flag(std::string_view key) const {
  const GgufEntry* entry = find(key);
  if (!entry) return std::nullopt;
  if (entry->type != GgufType::boolean) refuse_kind(key, "true or false");
  return value_at<std::uint8_t>(entry->bytes) != 0;
}

std::optional<std::vector<std::string>> Gguf::texts(std::string_view key) const {
  const GgufEntry* entry = find(key);
  if (!entry) return std::nullopt;
  const auto array = array_of(*entry);
  if (!array || array->of != GgufType::text) refuse_kind(key, "a list of texts");
  std::vector<std::string> values;
  Cursor cursor(array->bytes, entry->key);
  for (std::uint64_t i = 0; i < array->count; ++i) values.emplace_back(cursor.text());
  return values;
}

std::optional<std::vector<float>> Gguf::reals(std::string_view key) const {
  const GgufEntry* entry = find(key);
  if (!entry) return std::nullopt;
  const auto array = array_of(*entry);
  if (!array || array->of != GgufType::f32) refuse_kind(key, "a list of numbers (f32)");
  std::vector<float> values(array->count);
  if (!values.empty()) std::memcpy(values.data(), array->bytes.data(), values.size() * sizeof(float));
  return values;
}

std::optional<std::vector<std::int64_t>> Gguf::integers(std::string_view key) const {
  const GgufEntry* entry = find(key);
  if (!entry) return std::nullopt;
  const auto array = array_of(*entry);
  std::vector<std::int64_t> values;
  for (std::uint64_t i = 0; array && i < array->count; ++i) {
    const auto value = integer_at(array->of, array->bytes, i);
    if (!value) break;
    values.push_back(*value);
  }
  if (!array || values.size() != array->count) refuse_kind(key, "a list of whole numbers");
  return values;
}

const GgufTensor* Gguf::find_tensor(std::string_view name) const {
  const auto it = tensor_of_.find(name);
  return it == tensor_of_.end() ? nullptr : &tensors_[it->second];
}

const GgufTensor& Gguf::at(std::string_view name) const {
  const GgufTensor* tensor = find_tensor(name);
  require(tensor != nullptr, "{}: tensor {} is missing", path().string(), name);
  return *tensor;
}

std::vector<float> to_floats(const GgufTensor& tensor, std::uint64_t first, std::uint64_t rows) {
  std::uint64_t weights = 1;  // of a row
  for (std::size_t i = 1; i < tensor.shape.size(); ++i) weights *= tensor.shape[i];
  const GgmlFormat& format = format_of(tensor.type);
  require((weights % format.weights == 0 || tensor.shape.size() == 1) && first <= tensor.shape[0] &&
              rows <= tensor.shape[0] - first && first * weights % format.weights == 0,
          "{}: rows {} to {} are not there", tensor.source, first, first + rows);
  std::vector<float> values(rows * weights);
  dequantize(tensor.type,
             tensor.bytes.subspan(first * weights / format.weights * format.bytes,
                                  rows * weights / format.weights * format.bytes),
             values);
  return values;
}

}  // namespace walsh

#include "io/gguf_writer.h"

#include "base/error.h"

namespace walsh {
namespace {

constexpr std::uint64_t alignment = 32;

using Bytes = std::string;  // of a header

template <typename T>
void put(Bytes& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void put_text(Bytes& bytes, std::string_view text) {
  put(bytes, std::uint64_t{text.size()});
  bytes.append(text);
}

template <typename T>
GgufValue number(std::string key, GgufType type, T value) {
  GgufValue entry{std::move(key), type, {}};
  put(entry.bytes, value);
  return entry;
}

template <typename T>
GgufValue numbers(std::string key, GgufType of, std::span<const T> values) {
  GgufValue entry{std::move(key), GgufType::array, {}};
  put(entry.bytes, static_cast<std::uint32_t>(of));
  put(entry.bytes, std::uint64_t{values.size()});
  entry.bytes.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  return entry;
}

std::uint64_t aligned(std::uint64_t offset) { return (offset + alignment - 1) / alignment * alignment; }

std::uint64_t byte_size(const GgufTensorInfo& tensor) {
  const GgmlFormat& format = format_of(tensor.type);
  std::uint64_t weights = 1;
  for (const std::uint64_t extent : tensor.shape) weights *= extent;
  require(!tensor.shape.empty() && tensor.shape.back() % format.weights == 0,
          "{}: rows of {} weights are not whole blocks of {} ({})", tensor.name,
          tensor.shape.empty() ? 0 : tensor.shape.back(), format.weights, format.name);
  return weights / format.weights * format.bytes;
}

}  // namespace

GgufValue gguf_text(std::string key, std::string_view value) {
  GgufValue entry{std::move(key), GgufType::text, {}};
  put_text(entry.bytes, value);
  return entry;
}
GgufValue gguf_count(std::string key, std::uint32_t value) {
  return number(std::move(key), GgufType::u32, value);
}
GgufValue gguf_real(std::string key, float value) { return number(std::move(key), GgufType::f32, value); }
GgufValue gguf_flag(std::string key, bool value) {
  return number(std::move(key), GgufType::boolean, static_cast<std::uint8_t>(value));
}
GgufValue gguf_texts(std::string key, std::span<const std::string> values) {
  GgufValue entry{std::move(key), GgufType::array, {}};
  put(entry.bytes, static_cast<std::uint32_t>(GgufType::text));
  put(entry.bytes, std::uint64_t{values.size()});
  for (const std::string& value : values) put_text(entry.bytes, value);
  return entry;
}
GgufValue gguf_reals(std::string key, std::span<const float> values) {
  return numbers(std::move(key), GgufType::f32, values);
}
GgufValue gguf_integers(std::string key, std::span<const std::int32_t> values) {
  return numbers(std::move(key), GgufType::i32, values);
}
GgufValue gguf_copy(const GgufEntry& entry) {
  return {entry.key, entry.type, {reinterpret_cast<const char*>(entry.bytes.data()), entry.bytes.size()}};
}

GgufWriter::GgufWriter(const std::filesystem::path& path, std::span<const GgufValue> values,
                       std::span<const GgufTensorInfo> tensors)
    : file_(path) {
  Bytes header = "GGUF";
  put(header, std::uint32_t{3});
  put(header, std::uint64_t{tensors.size()});
  put(header, std::uint64_t{values.size()});
  for (const GgufValue& value : values) {
    put_text(header, value.key);
    put(header, static_cast<std::uint32_t>(value.type));
    header += value.bytes;
  }
  std::uint64_t offset = 0;
  for (const GgufTensorInfo& tensor : tensors) {
    put_text(header, tensor.name);
    put(header, static_cast<std::uint32_t>(tensor.shape.size()));
    for (std::size_t i = tensor.shape.size(); i > 0; --i) put(header, tensor.shape[i - 1]);
    put(header, static_cast<std::uint32_t>(tensor.type));
    put(header, offset);
    file_.announce(tensor.name, offset, byte_size(tensor));
    offset = aligned(offset + byte_size(tensor));
  }
  header.resize(aligned(header.size()));
  file_.write_header(std::as_bytes(std::span(header)));
  // The last tensor's padding belongs to the file.
  if (offset > 0) file_.pad_to(header.size() + offset);
}

}  // namespace walsh

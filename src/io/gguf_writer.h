// Writing GGUF files (io/gguf.h): version 3, the data aligned to 32 bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/range_writer.h"
#include "io/gguf.h"

namespace walsh {

/// A metadata entry to be written.
struct GgufValue {
  std::string key;
  GgufType type = GgufType::u8;
  std::string bytes;  // as in the file
};
GgufValue gguf_text(std::string key, std::string_view value);
GgufValue gguf_count(std::string key, std::uint32_t value);
GgufValue gguf_real(std::string key, float value);
GgufValue gguf_flag(std::string key, bool value);
GgufValue gguf_texts(std::string key, std::span<const std::string> values);
GgufValue gguf_reals(std::string key, std::span<const float> values);
GgufValue gguf_integers(std::string key, std::span<const std::int32_t> values);
/// An entry of another file as it is.
GgufValue gguf_copy(const GgufEntry& entry);

struct GgufTensorInfo {
  std::string name;
  GgmlType type = GgmlType::f32;
  std::vector<std::uint64_t> shape;  // outermost first
};

/// Tensors are announced first; their bytes arrive later, in any order and in pieces.
class GgufWriter {
 public:
  GgufWriter(const std::filesystem::path& path, std::span<const GgufValue> values,
             std::span<const GgufTensorInfo> tensors);

  /// The next bytes of a tensor.
  void append(std::string_view name, std::span<const std::byte> bytes) { file_.append(name, bytes); }
  /// Renames the file into place; every tensor must be whole.
  void publish() { file_.publish(); }

 private:
  RangeWriter file_;
};

}  // namespace walsh

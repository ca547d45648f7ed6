// GGUF, the model files of llama.cpp: "GGUF", a version, the numbers of tensors and of metadata entries, the
// entries (key, type, value), the tensors' names, shapes, types and offsets, then, aligned, their data. A
// file is mapped and checked whole when it is opened: every count, length and offset is held against what is
// there before it is used.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "io/ggml_blocks.h"

namespace walsh {

/// Types of metadata, by their numbers in a file.
enum class GgufType : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, array, u64, i64, f64 };

/// A metadata entry; `bytes` is the value as it stands in the file (a text with its length in front, an array
/// with its type and length).
struct GgufEntry {
  std::string key;
  GgufType type = GgufType::u8;
  std::span<const std::byte> bytes;
};

/// A tensor of a mapped file. The bytes may stand at any address.
struct GgufTensor {
  std::string name;
  GgmlType type = GgmlType::f32;
  std::vector<std::uint64_t> shape;  // outermost first: [rows, columns], as everywhere in walsh
  std::span<const std::byte> bytes;
  std::uint64_t offset = 0;  // of the bytes in the file
  std::string source;        // "file: tensor", for messages
};

/// The weights of rows [first, first + rows) of the first dimension.
std::vector<float> to_floats(const GgufTensor& tensor, std::uint64_t first, std::uint64_t rows);

class Gguf {
 public:
  static Gguf open(const std::filesystem::path& path);
  /// Whether a path names such a file: it ends in ".gguf" and is no folder.
  static bool named(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  std::span<const std::byte> bytes() const { return file_.bytes(); }
  /// In the file's order.
  const std::vector<GgufEntry>& entries() const { return entries_; }
  const std::vector<GgufTensor>& tensors() const { return tensors_; }

  const GgufEntry* find(std::string_view key) const;
  /// Values of a key, or nothing where it is absent; a value of another kind is refused.
  std::optional<std::string> text(std::string_view key) const;
  std::optional<std::uint64_t> count(std::string_view key) const;  // any integer type, not below 0
  std::optional<double> real(std::string_view key) const;          // f32 or f64
  std::optional<bool> flag(std::string_view key) const;
  std::optional<std::vector<std::string>> texts(std::string_view key) const;
  std::optional<std::vector<float>> reals(std::string_view key) const;            // of f32
  std::optional<std::vector<std::int64_t>> integers(std::string_view key) const;  // of any integer type

  const GgufTensor* find_tensor(std::string_view name) const;
  /// The tensor, or a refusal that names file and tensor.
  const GgufTensor& at(std::string_view name) const;

 private:
  explicit Gguf(MappedFile file);
  [[noreturn]] void refuse_kind(std::string_view key, std::string_view expected) const;

  MappedFile file_;
  std::vector<GgufEntry> entries_;
  std::vector<GgufTensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> entry_of_, tensor_of_;
};

/// Of a value's bytes in a file; nothing for texts and arrays.
std::optional<std::uint32_t> size_of(GgufType type);

}  // namespace walsh

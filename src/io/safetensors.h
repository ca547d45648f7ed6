// safetensors: eight bytes of header length (little endian), a JSON header of names, types, shapes and byte
// ranges, then the data. Files are mapped, so a tensor costs memory only where it is read; they are checked
// before anything is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/range_writer.h"
#include "tensor/dtype.h"

namespace walsh {

using Metadata = std::map<std::string, std::string>;

/// A tensor of a mapped file. The bytes may stand at any address: copy them, never cast the pointer.
struct TensorView {
  DType dtype = DType::f32;
  std::vector<std::uint64_t> shape;
  std::span<const std::byte> bytes;
  std::string source;  // "file: tensor", for messages

  std::uint64_t elements() const { return bytes.size() / size_of(dtype); }
};

class Safetensors {
 public:
  /// A file, or a folder that holds model.safetensors or model.safetensors.index.json and its shards.
  static Safetensors open(const std::filesystem::path& path);

  const TensorView* find(std::string_view name) const;
  /// The tensor, or a refusal that names file and tensor.
  const TensorView& at(std::string_view name) const;
  /// Ascending.
  std::vector<std::string> names() const;
  const Metadata& metadata() const { return metadata_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  void add_file(const std::filesystem::path& path);
  void add_shards(const std::filesystem::path& folder, const std::filesystem::path& index);

  std::filesystem::path path_;
  std::vector<MappedFile> files_;
  std::map<std::string, TensorView, std::less<>> tensors_;
  Metadata metadata_;
};

/// "2 x 3", for messages.
std::string shape_text(std::span<const std::uint64_t> shape);

/// Refuses a tensor of another shape.
void require_shape(const TensorView& tensor, std::span<const std::uint64_t> shape);

/// Elements [first, first + out.size()) of an f32, f16 or bf16 tensor as floats.
void read_floats(const TensorView& tensor, std::uint64_t first, std::span<float> out);
std::vector<float> to_floats(const TensorView& tensor);
/// The same for rows [first_row, first_row + rows) of the first dimension.
std::vector<float> to_floats(const TensorView& tensor, std::uint64_t first_row, std::uint64_t rows);

/// The elements of an integer tensor of exactly this type.
template <typename T>
std::vector<T> to_values(const TensorView& tensor, DType dtype) {
  require(tensor.dtype == dtype && sizeof(T) == size_of(dtype), "{}: type {}, expected {}", tensor.source,
          name_of(tensor.dtype), name_of(dtype));
  std::vector<T> values(tensor.elements());
  if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

struct TensorInfo {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::uint64_t> shape;
};

/// Writes a file of tensors known by name, type and shape, whose bytes arrive later, in any order and in
/// pieces, so that no second copy of a big tensor is needed. Tensors lie by falling element size, then in the
/// order of `tensors`: every one is aligned to its own type, which readers that map the file rely on.
class SafetensorsWriter {
 public:
  SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorInfo> tensors,
                    const Metadata& metadata);

  /// The next bytes of a tensor.
  void append(std::string_view name, std::span<const std::byte> bytes) { file_.append(name, bytes); }
  /// Renames the file into place; every tensor must be whole.
  void publish() { file_.publish(); }

 private:
  RangeWriter file_;
};

struct NamedTensor {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::uint64_t> shape;
  std::span<const std::byte> bytes;
};

void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const Metadata& metadata = {});

}  // namespace walsh

// A file whose parts are announced by name and size before their bytes are there: the bytes of each arrive
// later, in any order and in pieces, so that no second copy of a big part is needed.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/file.h"

namespace walsh {

class RangeWriter {
 public:
  explicit RangeWriter(std::filesystem::path path) : file_(std::move(path)) {}

  /// Bytes [begin, begin + size) of what follows the header. False where the name is announced already.
  bool announce(std::string name, std::uint64_t begin, std::uint64_t size);
  /// The file's first bytes; the announced ranges begin after them. Before any `append`.
  void write_header(std::span<const std::byte> header);
  /// The next bytes of a range.
  void append(std::string_view name, std::span<const std::byte> bytes);
  /// Zeros up to this size of the file.
  void pad_to(std::uint64_t size);
  /// Renames the file into place; every range must be whole.
  void publish();

 private:
  struct Range {
    std::uint64_t next = 0;
    std::uint64_t end = 0;
  };
  FileWriter file_;
  std::map<std::string, Range, std::less<>> ranges_;
  std::uint64_t data_ = 0;  // where the ranges begin in the file
};

}  // namespace walsh

// Files: memory-mapped for reading, written whole by rename.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace walsh {

/// The whole file as text; refuses a file that cannot be read.
std::string read_text(const std::filesystem::path& path);

/// Writes to a temporary neighbour, flushes it to disk and renames it over `path`: readers see the old file
/// or the new one, never a part. Fails (exit status 1) when the disk does.
void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_file(const std::filesystem::path& path, std::string_view text);

/// A file written piece by piece under a temporary name; `publish` flushes it to disk and renames it into
/// place, without it the pieces are removed.
class FileWriter {
 public:
  explicit FileWriter(std::filesystem::path path);
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;
  ~FileWriter();

  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  void publish();

 private:
  [[noreturn]] void fail_with(int error) const;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int fd_ = -1;
};

/// A read-only memory mapping of a whole file.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Builds a folder beside its final name; `publish` renames it into place, otherwise it is removed with
/// everything in it.
class StagedFolder {
 public:
  explicit StagedFolder(std::filesystem::path final_path);
  StagedFolder(const StagedFolder&) = delete;
  StagedFolder& operator=(const StagedFolder&) = delete;
  ~StagedFolder();

  const std::filesystem::path& path() const { return staging_; }
  /// Moves the folder to its final name. Refuses where something stands there already.
  void publish();

 private:
  std::filesystem::path final_;
  std::filesystem::path staging_;
};

}  // namespace walsh

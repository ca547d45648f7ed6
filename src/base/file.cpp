#include "base/file.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "base/error.h"
#include "base/system.h"

namespace walsh {
namespace {

std::filesystem::path parent_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

std::string read_text(const std::filesystem::path& path) {
  require(!std::filesystem::is_directory(path), "{}: a folder, expected a file", path.string());
  std::ifstream in(path, std::ios::binary);
  require(in.good(), "{}: cannot be read ({})", path.string(), std::strerror(errno));
  return {std::istreambuf_iterator<char>(in), {}};
}

FileWriter::FileWriter(std::filesystem::path path) : path_(std::move(path)), temporary_(path_) {
  temporary_ += ".partial";
  fd_ = system::create_file(temporary_);
  require(fd_ >= 0, "{}: cannot be written ({})", path_.string(), std::strerror(errno));
}

FileWriter::~FileWriter() {
  if (fd_ < 0) return;
  system::close_file(fd_);
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
}

void FileWriter::fail_with(int error) const {
  fail("{}: writing failed ({})", path_.string(), std::strerror(error));
}

void FileWriter::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (!system::write_at(fd_, offset, bytes)) fail_with(errno);
}

void FileWriter::publish() {
  if (!system::flush_file(fd_)) fail_with(errno);
  system::close_file(std::exchange(fd_, -1));  // an open file has no other name on some systems
  std::error_code error;
  std::filesystem::rename(temporary_, path_, error);
  if (error) {
    std::error_code ignored;
    std::filesystem::remove(temporary_, ignored);
    fail("{}: writing failed ({})", path_.string(), error.message());
  }
  system::flush_folder(parent_of(path_));
}

void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  FileWriter writer(path);
  writer.write_at(0, bytes);
  writer.publish();
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  write_file(path, std::as_bytes(std::span(text)));
}

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  require(std::filesystem::exists(status), "{}: cannot be read ({})", path.string(), error.message());
  require(std::filesystem::is_regular_file(status), "{}: not a regular file", path.string());
  const auto mapped = system::map_file(path);
  require(mapped.has_value(), "{}: cannot be read or mapped into memory", path.string());
  data_ = mapped->data();
  size_ = mapped->size();
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() { system::unmap_file({data_, size_}); }

StagedFolder::StagedFolder(std::filesystem::path final_path) : final_(std::move(final_path)) {
  if (final_.filename().empty()) final_ = final_.parent_path();
  staging_ = final_;
  staging_ += ".partial";
  std::error_code error;
  std::filesystem::remove_all(staging_, error);
  std::filesystem::create_directories(staging_, error);
  require(!error, "{}: cannot be created ({})", final_.string(), error.message());
}

StagedFolder::~StagedFolder() {
  std::error_code ignored;
  if (!staging_.empty()) std::filesystem::remove_all(staging_, ignored);
}

void StagedFolder::publish() {
  require(!std::filesystem::exists(final_), "{}: exists already; name a new folder or remove it",
          final_.string());
  std::error_code error;
  std::filesystem::rename(staging_, final_, error);
  if (error) fail("{}: cannot be renamed into place ({})", final_.string(), error.message());
  staging_.clear();
  system::flush_folder(parent_of(final_));
}

}  // namespace walsh

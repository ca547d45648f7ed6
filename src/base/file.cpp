#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "base/error.h"

namespace walsh {
namespace {

void flush_folder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

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
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  require(fd_ >= 0, "{}: cannot be written ({})", path_.string(), std::strerror(errno));
}

FileWriter::~FileWriter() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void FileWriter::fail_with(int error) const {
  fail("{}: writing failed ({})", path_.string(), std::strerror(error));
}

void FileWriter::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) fail_with(errno);
    offset += static_cast<std::uint64_t>(wrote);
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
  }
}

void FileWriter::publish() {
  if (::fsync(fd_) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) fail_with(errno);
  ::close(std::exchange(fd_, -1));
  flush_folder(parent_of(path_));
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
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  require(fd >= 0, "{}: cannot be read ({})", path.string(), std::strerror(errno));
  struct stat info {};
  const bool regular = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  if (regular && info.st_size > 0) {
    void* mapped = ::mmap(nullptr, static_cast<std::size_t>(info.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped != MAP_FAILED) {
      data_ = static_cast<const std::byte*>(mapped);
      size_ = static_cast<std::size_t>(info.st_size);
    }
  }
  ::close(fd);
  require(regular, "{}: not a regular file", path.string());
  require(data_ != nullptr || info.st_size == 0, "{}: cannot be mapped into memory", path.string());
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

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

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
  flush_folder(parent_of(final_));
}

}  // namespace walsh

#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#include <sys/stat.h>
#include <windows.h>

#include <algorithm>

#include "base/system.h"

namespace walsh::system {

int create_file(const std::filesystem::path& path) {
  return ::_wopen(path.c_str(), _O_WRONLY | _O_CREAT | _O_TRUNC | _O_BINARY | _O_NOINHERIT,
                  _S_IREAD | _S_IWRITE);
}

bool write_at(int file, std::uint64_t offset, std::span<const std::byte> bytes) {
  constexpr std::size_t most = std::size_t{1} << 30;  // _write counts with an int
  if (::_lseeki64(file, static_cast<__int64>(offset), SEEK_SET) < 0) return false;
  while (!bytes.empty()) {
    const int wrote = ::_write(file, bytes.data(), static_cast<unsigned>(std::min(bytes.size(), most)));
    if (wrote < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
  }
  return true;
}

bool flush_file(int file) { return ::_commit(file) == 0; }

void close_file(int file) { ::_close(file); }

void flush_folder(const std::filesystem::path&) {}  // NTFS journals names

std::optional<std::span<const std::byte>> map_file(const std::filesystem::path& path) {
  // Others may read the file, or rename another over it, while it is mapped.
  const HANDLE file = ::CreateFileW(path.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, nullptr,
                                    OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) return std::nullopt;
  std::optional<std::span<const std::byte>> bytes;
  LARGE_INTEGER size{};
  if (::GetFileType(file) == FILE_TYPE_DISK && ::GetFileSizeEx(file, &size)) {
    if (size.QuadPart == 0) {
      bytes.emplace();
    } else if (const HANDLE mapping = ::CreateFileMappingW(file, nullptr, PAGE_READONLY, 0, 0, nullptr)) {
      if (const void* mapped = ::MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0))
        bytes.emplace(static_cast<const std::byte*>(mapped), static_cast<std::size_t>(size.QuadPart));
      ::CloseHandle(mapping);
    }
  }
  ::CloseHandle(file);
  return bytes;
}

void unmap_file(std::span<const std::byte> bytes) {
  if (!bytes.empty()) ::UnmapViewOfFile(bytes.data());
}

bool errors_go_to_terminal() { return ::_isatty(::_fileno(stderr)) != 0; }

}  // namespace walsh::system
#endif

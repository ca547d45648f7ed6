// What the operating system does for files and terminals: system_posix.cpp and system_windows.cpp, of which
// one is empty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>

namespace walsh::system {

/// An empty file for writing; -1 with errno set where that cannot be had.
int create_file(const std::filesystem::path& path);
/// Whether all bytes were written; else errno is set.
bool write_at(int file, std::uint64_t offset, std::span<const std::byte> bytes);
/// Whether what was written is on the disk; else errno is set.
bool flush_file(int file);
void close_file(int file);
/// Makes names in a folder last, where the system asks for that.
void flush_folder(const std::filesystem::path& folder);

/// A whole regular file, read-only in memory; nothing where it cannot be read or mapped.
std::optional<std::span<const std::byte>> map_file(const std::filesystem::path& path);
void unmap_file(std::span<const std::byte> bytes);

/// Whether standard error is read by a person.
bool errors_go_to_terminal();

}  // namespace walsh::system

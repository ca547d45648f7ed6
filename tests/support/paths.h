// Where the tests find their files.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace walsh::test {

std::filesystem::path source_dir();

/// The built `walsh`.
std::filesystem::path walsh_binary();

/// The folder of test vectors: tests/vectors, or what WALSH_VECTORS names.
inline std::filesystem::path vectors_dir() {
  const char* other = std::getenv("WALSH_VECTORS");
  return other ? std::filesystem::path(other) : source_dir() / "tests/vectors";
}

/// The folder of other people's models and data beside the checkout; tests that need it skip where it is
/// absent.
inline std::filesystem::path shared_data() { return source_dir().parent_path() / "shared/data"; }

}  // namespace walsh::test

/// Skips the test, with the reason, where a file of the shared data folder is absent.
#define WALSH_NEEDS(path)                                                              \
  do {                                                                                 \
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "absent: " << (path).string(); \
  } while (false)

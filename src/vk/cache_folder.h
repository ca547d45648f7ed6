// Where caches live.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace walsh::vk {

/// $XDG_CACHE_HOME/walsh, ~/.cache/walsh or, on Windows, %LOCALAPPDATA%/walsh; empty where none is known.
inline std::filesystem::path cache_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache)
    return std::filesystem::path(cache) / "walsh";
  if (const char* home = std::getenv("HOME"); home && *home)
    return std::filesystem::path(home) / ".cache/walsh";
  if (const char* local = std::getenv("LOCALAPPDATA"); local && *local)
    return std::filesystem::path(local) / "walsh";
  return {};
}

}  // namespace walsh::vk

// Where caches live.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace walsh::vk {

/// $XDG_CACHE_HOME/walsh or ~/.cache/walsh; empty where neither is known.
inline std::filesystem::path cache_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache)
    return std::filesystem::path(cache) / "walsh";
  if (const char* home = std::getenv("HOME"); home && *home)
    return std::filesystem::path(home) / ".cache/walsh";
  return {};
}

}  // namespace walsh::vk

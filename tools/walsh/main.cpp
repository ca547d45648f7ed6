// The command line. This is the only place that catches what walsh throws.
#include <cstdio>

#include "base/error.h"
#include "vk/device_info.h"

int main() {
  try {
    for (const auto& info : walsh::vk::list_devices())
      fmt::print("{}  {}  {}\n", info.index, info.name, info.driver);
    return 0;
  } catch (const walsh::Error& error) {
    std::fprintf(stderr, "walsh: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "walsh: %s\n", error.what());
    return 1;
  }
}

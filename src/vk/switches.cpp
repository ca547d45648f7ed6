#include "vk/switches.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include "base/error.h"

namespace walsh::vk {
namespace {

std::string_view text_of(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::uint64_t number_of(const char* name) {
  const std::string_view text = text_of(name);
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  require(text.empty() || (parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size() && value > 0),
          "{}={}: expected a whole number above 0", name, text);
  return value;
}

bool flag_of(const char* name) {
  const std::string_view text = text_of(name);
  require(text.empty() || text == "0" || text == "1", "{}={}: expected 1 or 0", name, text);
  return text == "1";
}

}  // namespace

void apply_switches(DeviceInfo& info) {
  const std::string_view kernels = text_of("WALSH_KERNELS");
  require(kernels.empty() || kernels == "gpu" || kernels == "cpu", "WALSH_KERNELS={}: expected gpu or cpu",
          kernels);
  if (!kernels.empty()) info.tuning.lane_by_lane = kernels == "cpu";
  if (flag_of("WALSH_LARGE_TILES")) info.tuning.large_tile_results = 0;
  if (const auto bytes = number_of("WALSH_MAX_BINDING"))
    info.limits.max_storage_range = std::min(info.limits.max_storage_range, bytes);
  if (const auto bytes = number_of("WALSH_MAX_ALLOCATION"))
    info.limits.max_allocation = std::min(info.limits.max_allocation, bytes);
  if (const auto microseconds = number_of("WALSH_SUBMISSION_US"))
    info.tuning.submission_seconds =
        std::min(info.tuning.submission_seconds, 1e-6 * static_cast<double>(microseconds));
}

std::uint64_t submission_to_lose() { return number_of("WALSH_LOSE_DEVICE_AT"); }

}  // namespace walsh::vk

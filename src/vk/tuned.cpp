#include "vk/tuned.h"

#include <xxhash.h>

#include <charconv>
#include <limits>

#include "base/error.h"
#include "base/file.h"
#include "vk/cache_folder.h"
#include "vk/modules.h"

namespace walsh::vk {
namespace {

struct Choice {
  std::string_view name;
  std::uint64_t most;
  std::uint64_t (*get)(const Tuning&);
  void (*set)(Tuning&, std::uint64_t);
};

constexpr Choice choices[] = {
    {"lane_by_lane", 1, [](const Tuning& t) { return std::uint64_t{t.lane_by_lane}; },
     [](Tuning& t, std::uint64_t value) { t.lane_by_lane = value != 0; }},
    {"large_tile_results", std::numeric_limits<std::uint64_t>::max(),
     [](const Tuning& t) { return t.large_tile_results; },
     [](Tuning& t, std::uint64_t value) { t.large_tile_results = value; }},
};

/// Of all kernels in this binary: choices do not outlive a kernel that they were measured with.
std::string kernels_fingerprint() {
  XXH64_hash_t all = 0;
  for (const Module& module : modules()) all = XXH64(module.spirv.data(), module.spirv.size_bytes(), all);
  return fmt::format("{:016x}", all);
}

}  // namespace

std::string to_text(const Tuning& tuning) {
  std::string text;
  for (const Choice& choice : choices)
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", choice.name, choice.get(tuning));
  return text;
}

void set_tuning(Tuning& tuning, std::string_view text) {
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    const std::size_t equals = std::min(word.find('='), word.size());
    const std::string_view name = word.substr(0, equals),
                           digits = word.substr(std::min(equals + 1, word.size()));
    const Choice* found = nullptr;
    std::string known;
    for (const Choice& choice : choices) {
      if (choice.name == name) found = &choice;
      known += fmt::format("{}{}", known.empty() ? "" : ", ", choice.name);
    }
    require(found != nullptr, "tuning: found \"{}\", expected one of: {}", name, known);
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    require(parsed.ec == std::errc{} && parsed.ptr == digits.data() + digits.size() && value <= found->most,
            "tuning: {}={}: expected a whole number up to {}", name, digits, found->most);
    found->set(tuning, value);
  }
}

std::filesystem::path tuned_path(const DeviceInfo& info) {
  const auto folder = cache_folder();
  return folder.empty() ? folder : folder / ("tuned-" + info.cache_key + ".json");
}

std::optional<std::string> read_tuned(const DeviceInfo& info) {
  const auto path = tuned_path(info);
  if (path.empty() || !std::filesystem::exists(path)) return std::nullopt;
  const Json json = read_json(path);
  if (json_at<std::string>(json, "kernels", path.string()) != kernels_fingerprint()) return std::nullopt;
  auto text = json_at<std::string>(json, "choices", path.string());
  Tuning checked;
  set_tuning(checked, text);
  return text;
}

void write_tuned(const DeviceInfo& info, std::string_view text, const OrderedJson& measured) {
  const auto path = tuned_path(info);
  if (path.empty()) return;
  std::filesystem::create_directories(path.parent_path());
  const OrderedJson json = {{"device", info.name},
                            {"driver", info.driver},
                            {"kernels", kernels_fingerprint()},
                            {"choices", text},
                            {"measured", measured}};
  write_file(path, json.dump(2) + "\n");
}

}  // namespace walsh::vk

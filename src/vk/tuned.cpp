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

std::filesystem::path file_of(const char* kind, const DeviceInfo& info) {
  const auto folder = cache_folder();
  return folder.empty() ? folder : folder / fmt::format("{}-{}.json", kind, info.cache_key);
}

/// What a file of choices holds; none where there is no file, or one of other kernels.
std::optional<Json> read_choices(const std::filesystem::path& path) {
  if (path.empty() || !std::filesystem::exists(path)) return std::nullopt;
  Json json = read_json(path);
  if (json_at<std::string>(json, "kernels", path.string()) != kernels_fingerprint()) return std::nullopt;
  return json;
}

void write_choices(const std::filesystem::path& path, const DeviceInfo& info, const char* key,
                   OrderedJson choices, const OrderedJson& measured) {
  if (path.empty()) return;
  std::filesystem::create_directories(path.parent_path());
  OrderedJson json = {{"device", info.name}, {"driver", info.driver}, {"kernels", kernels_fingerprint()}};
  json[key] = std::move(choices);
  if (!measured.is_null()) json["measured"] = measured;
  write_file(path, json.dump(2) + "\n");
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

std::filesystem::path tuned_path(const DeviceInfo& info) { return file_of("tuned", info); }

std::optional<std::string> read_tuned(const DeviceInfo& info) {
  const auto path = tuned_path(info);
  const auto json = read_choices(path);
  if (!json) return std::nullopt;
  auto text = json_at<std::string>(*json, "choices", path.string());
  Tuning checked;
  set_tuning(checked, text);
  return text;
}

void write_tuned(const DeviceInfo& info, std::string_view text, const OrderedJson& measured) {
  write_choices(tuned_path(info), info, "choices", text, measured);
}

std::optional<std::string> recall(const DeviceInfo& info, const std::string& question) {
  const auto path = file_of("answers", info);
  const auto json = read_choices(path);
  if (!json || !json->contains("answers") || !(*json)["answers"].contains(question)) return std::nullopt;
  return json_at<std::string>((*json)["answers"], question.c_str(), path.string());
}

void remember(const DeviceInfo& info, const std::string& question, std::string_view choice) {
  const auto path = file_of("answers", info);
  const auto json = read_choices(path);
  OrderedJson answers = OrderedJson::object();
  if (json && json->contains("answers")) answers = OrderedJson::parse((*json)["answers"].dump());
  answers[question] = choice;
  write_choices(path, info, "answers", std::move(answers), {});
}

}  // namespace walsh::vk

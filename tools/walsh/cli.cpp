#include "cli.h"

#include <fmt/ranges.h>

#include <cstdio>
#include <cstdlib>

namespace walsh {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

void add_globals(CLI::App& command, Globals& globals) {
  command.add_option("--device", globals.device,
                     "device by index or part of its name; default: WALSH_DEVICE, else the fastest real GPU");
  command.add_option("--disable", globals.disable,
                     "features to do without: storage16 storage8 fp16 bf16 int64 int-dot coopmat coopmat2 "
                     "subgroups; default: WALSH_DISABLE");
  command.add_option("--seed", globals.seed, "seed of everything random")->capture_default_str();
  command.add_flag("--quiet", globals.quiet, "print results only");
  command.add_flag("--json", globals.json, "the last line of stdout is one JSON object");
}

std::unique_ptr<vk::Device> open_device(const Globals& globals) {
  auto device = open_device_quietly(globals);
  announce(globals, *device);
  return device;
}

std::unique_ptr<vk::Device> open_device_quietly(const Globals& globals) {
  return std::make_unique<vk::Device>(vk::choose_device(globals.device, globals.disable));
}

void announce(const Globals& globals, const vk::Device& device) {
  const vk::DeviceInfo& info = device.info();
  if (info.type == vk::DeviceType::cpu) {
    say(globals, fmt::format("device: {} IS A CPU DRIVER, NOT A GPU: everything works, slowly", info.name));
  } else {
    say(globals, fmt::format("device: {} ({})", info.name, info.driver));
  }
}

void say(const Globals& globals, const std::string& line) {
  if (!globals.quiet) std::fprintf(stderr, "%s\n", line.c_str());
}

void print_json(const Globals& globals, const OrderedJson& object) {
  if (globals.json)
    std::printf("%s\n", object.dump(-1, ' ', false, OrderedJson::error_handler_t::replace).c_str());
  std::fflush(stdout);
}

void add_run_options(CLI::App& command, GivenOptions& given, std::initializer_list<const char*> only) {
  const RunOptions defaults;
  visit_options(defaults, [&](const char* name, const auto& value, bool, const char* help) {
    const std::string key = name;
    if (key == "seed") return;  // a global flag
    if (only.size() > 0 &&
        std::find_if(only.begin(), only.end(), [&](const char* word) { return key == word; }) == only.end())
      return;
    using T = std::decay_t<decltype(value)>;
    CLI::Option* option = command.add_option_function<std::string>(
        "--" + key, [&given, key](const std::string& text) { given[key] = text; }, help);
    if constexpr (std::is_same_v<T, bool>) {
      // What a flag without a value stands for is its default string.
      option->expected(0, 1)->default_str("true")->option_text(fmt::format("[true|false], {}", value));
    } else if constexpr (!std::is_same_v<T, std::optional<std::uint64_t>>) {
      if (const std::string shown = fmt::format("{}", value); !shown.empty()) option->default_str(shown);
    }
  });
}

void set_assignments(RunOptions& options, const std::vector<std::string>& assignments) {
  for (const std::string& assignment : assignments) {
    const auto equals = assignment.find('=');
    require(equals != std::string::npos && assignment.substr(0, equals).find('.') != std::string::npos,
            "--set {}: expected METHOD.KEY=VALUE", assignment);
    set_option(options, assignment.substr(0, equals), assignment.substr(equals + 1));
  }
}

std::string list_settings(const std::vector<std::pair<std::string, std::string>>& settings) {
  std::vector<std::string> words;
  for (const auto& [key, value] : settings) words.push_back(key + "=" + value);
  return fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace walsh

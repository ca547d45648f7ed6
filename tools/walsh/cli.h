// What the subcommands share. Each has a file of its own with one function that declares it.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>

#include "base/json.h"
#include "train/options.h"
#include "vk/device.h"

namespace walsh {

/// The value of an environment variable, or nothing.
std::string environment(const char* name);

/// Flags of every command; a flag beats the environment.
struct Globals {
  std::string device = environment("WALSH_DEVICE");
  std::string disable = environment("WALSH_DISABLE");
  std::uint64_t seed = 0;
  bool quiet = false;
  bool json = false;
};

/// Declares --device, --disable, --seed, --quiet and --json on a subcommand.
void add_globals(CLI::App& command, Globals& globals);

/// Opens the chosen device and announces it.
std::unique_ptr<vk::Device> open_device(const Globals& globals);

/// The two halves: commands that can refuse what comes after the device's opening announce it once nothing
/// can be refused any more, since a refusal is one line and no other.
std::unique_ptr<vk::Device> open_device_quietly(const Globals& globals);
/// What runs; a CPU driver is announced loudly.
void announce(const Globals& globals, const vk::Device& device);

/// A line for people, on stderr; nothing with --quiet.
void say(const Globals& globals, const std::string& line);

/// With --json: the object as the last line of stdout.
void print_json(const Globals& globals, const OrderedJson& object);

/// Declares a flag for an option of RunOptions; values given are collected in `given` and set later, over the
/// YAML file.
using GivenOptions = std::map<std::string, std::string>;
void add_run_options(CLI::App& command, GivenOptions& given, std::initializer_list<const char*> only = {});

/// `--set` words "PART.KEY=VALUE" into options.
void set_assignments(RunOptions& options, const std::vector<std::string>& assignments);
/// "KEY=DEFAULT, ...", for the help.
std::string list_settings(const std::vector<std::pair<std::string, std::string>>& settings);

// Each declares one subcommand with its callback; a callback that ends early throws Error or Failure.
void add_devices(CLI::App& app, Globals& globals);
void add_doctor(CLI::App& app, Globals& globals);
void add_bench(CLI::App& app, Globals& globals);
void add_plan(CLI::App& app, Globals& globals);
void add_quantize(CLI::App& app, Globals& globals);
void add_train(CLI::App& app, Globals& globals);
void add_eval(CLI::App& app, Globals& globals);
void add_generate(CLI::App& app, Globals& globals);
void add_export(CLI::App& app, Globals& globals);
void add_verify(CLI::App& app, Globals& globals);
void add_report(CLI::App& app, Globals& globals);
void add_tune(CLI::App& app, Globals& globals);

}  // namespace walsh

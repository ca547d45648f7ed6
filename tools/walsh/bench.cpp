// walsh bench: kernels against two limits measured in the same run, the bandwidth of a copy and the rate of a
// kernel that only multiplies and adds. A kernel's limit is the one that would keep it longer; its share is
// that time over the time it took.
#include <algorithm>
#include <chrono>

#include "cli.h"
#include "kernel_case.h"
#include "ops/multiply_add.h"
#include "show.h"

namespace walsh {
namespace {

// Short kernels are recorded several times over, so that submitting does not show.
constexpr double shortest_run_seconds = 5e-3;
constexpr std::uint32_t most_copies = 64;
// A run this long is a sample from the first time on; what compiling adds to the first run does not show in
// it.
constexpr double long_run_seconds = 1;
constexpr std::size_t fewest_samples = 3, most_samples = 15;
constexpr double case_seconds = 0.3;
// The standard shapes take at most a minute also on a slow or busy CPU: after this, one sample does.
constexpr std::chrono::seconds patience(30);

double run_seconds(vk::Device& device, vk::Recording& recording) {
  device.wait_idle();
  const auto start = std::chrono::steady_clock::now();
  device.wait(device.submit(recording));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

vk::Recording record(vk::Device& device, const std::function<void(vk::Recorder&)>& work,
                     std::uint32_t copies) {
  vk::Recorder recorder(device);
  for (std::uint32_t i = 0; i < copies; ++i) work(recorder);
  return recorder.finish();
}

/// Seconds of runs of `work`, sorted, by the host's clock around replays of a recording.
std::vector<double> sample_seconds(vk::Device& device, const std::function<void(vk::Recorder&)>& work,
                                   bool hurry = false) {
  std::vector<double> samples;
  vk::Recording recording = record(device, work, 1);
  const double first = run_seconds(device, recording);
  std::uint32_t copies = 1;
  if (first > long_run_seconds) {
    samples.push_back(first);
  } else if (const double once = run_seconds(device, recording); once < shortest_run_seconds) {
    copies = static_cast<std::uint32_t>(std::min<double>(most_copies, shortest_run_seconds / once + 1));
    recording = record(device, work, copies);
    run_seconds(device, recording);
  }
  const std::size_t wanted = hurry ? 1 : fewest_samples;
  for (double spent = 0;
       samples.size() < wanted || (!hurry && spent < case_seconds && samples.size() < most_samples);) {
    const double seconds = run_seconds(device, recording);
    spent += seconds;
    samples.push_back(seconds / copies);
  }
  std::sort(samples.begin(), samples.end());
  return samples;
}

struct Limits {
  double bytes_per_second, operations_per_second;
};

/// The fastest runs: a limit is what the device can.
Limits measure_limits(vk::Device& device) {
  const std::uint64_t bytes = std::uint64_t{device.info().type == vk::DeviceType::cpu ? 64u : 256u} << 20;
  vk::Arena arena("copy");
  const vk::Slice from = arena.reserve(bytes), to = arena.reserve(bytes);
  arena.commit(device);
  const double copy = sample_seconds(device, [&](Recorder& rec) { rec.copy(to, from); }).front();
  constexpr std::uint64_t elements = 1 << 20;
  constexpr std::uint32_t rounds = 16;
  TensorStore store(device);
  const Tensor y = store.empty({elements});
  const double sums =
      sample_seconds(device, [&](Recorder& rec) { multiply_add(rec, y, rounds, 0.75f); }).front();
  return {2.0 * static_cast<double>(bytes) / copy, multiply_add_operations(rounds) * elements / sums};
}

std::vector<RegisteredOp> chosen_ops(const std::vector<std::string>& names) {
  const auto all = registered_ops();
  if (names.empty()) return all;
  std::vector<RegisteredOp> chosen;
  for (const std::string& name : names) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& op) { return op.op == name; });
    if (found == all.end()) {
      std::string known;
      for (const auto& op : all) known += " " + op.op;
      refuse("bench: no op is named \"{}\"; known:{}", name, known);
    }
    chosen.push_back(*found);
  }
  return chosen;
}

OrderedJson measure(const Globals& globals, vk::Device& device, const KernelCase& kernel,
                    const Limits& limits, bool hurry) {
  const std::vector<double> samples = sample_seconds(device, kernel.record, hurry);
  const double seconds = samples[samples.size() / 2];
  const double moving = kernel.bytes / limits.bytes_per_second;
  const double computing = kernel.operations / limits.operations_per_second;
  const char* limit = moving >= computing ? "bandwidth" : "arithmetic";
  const double share = std::max(moving, computing) / seconds;
  const double gb = kernel.bytes / seconds * 1e-9, tflop = kernel.operations / seconds * 1e-12;
  show(globals,
       fmt::format("{:<14} {:<34} {:<30} {:>10.3f} {:>9.2f} {:>10.2f}  {:>3.0f} % of {}", kernel.op,
                   kernel.variant, kernel.shape, seconds * 1e3, gb, tflop * 1e3, share * 100, limit));
  return {{"name", kernel.op},      {"variant", kernel.variant},
          {"shape", kernel.shape},  {"seconds", seconds},
          {"bytes", kernel.bytes},  {"gb_per_s", gb},
          {"tflop_per_s", tflop},   {"limit", limit},
          {"share_of_limit", share}};
}

void bench(const Globals& globals, const std::vector<std::string>& names, const std::string& shapes) {
  const auto ops = chosen_ops(names);
  const auto device = open_device(globals);
  const bool all = shapes == "all" || (shapes.empty() && device->info().type != vk::DeviceType::cpu);
  const Limits limits = measure_limits(*device);
  show(globals, fmt::format("{}: copies {:.1f} GB/s, multiplies and adds {:.1f} GFLOP/s", device->info().name,
                            limits.bytes_per_second * 1e-9, limits.operations_per_second * 1e-9));
  show(globals, fmt::format("{:<14} {:<34} {:<30} {:>10} {:>9} {:>10}  {}", "kernel", "variant", "shape",
                            "ms", "GB/s", "GFLOP/s", "share of limit"));
  OrderedJson results = OrderedJson::array();
  const auto start = std::chrono::steady_clock::now();
  for (const auto& op : ops) {
    TensorStore store(*device);
    for (const auto& kernel : op.factory(store, all ? CaseSize::all : CaseSize::standard)) {
      const bool hurry = !all && std::chrono::steady_clock::now() - start > patience;
      results.push_back(measure(globals, *device, kernel, limits, hurry));
    }
  }
  print_json(globals, {{"device", device->info().name},
                       {"driver", device->info().driver},
                       {"copy_gb_per_s", limits.bytes_per_second * 1e-9},
                       {"arithmetic_tflop_per_s", limits.operations_per_second * 1e-12},
                       {"results", results}});
}

struct Arguments {
  std::vector<std::string> ops;
  std::string shapes;
};

}  // namespace

void add_bench(CLI::App& app, Globals& globals) {
  CLI::App* command = app.add_subcommand("bench", "Times kernels against the device's limits");
  std::string names;
  for (const auto& op : registered_ops()) names += " " + op.op;
  command->footer("Example: walsh bench quant_matmul hadamard\nOps:" + names);
  add_globals(*command, globals);
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("op", arguments->ops, "Ops to time; default: all");
  command
      ->add_option("--shapes", arguments->shapes,
                   "standard: one shape an op; all: those of real models; default: standard on a CPU driver, "
                   "all on a GPU")
      ->check(CLI::IsMember({"standard", "all"}));
  command->callback([&globals, arguments] { bench(globals, arguments->ops, arguments->shapes); });
}

}  // namespace walsh

// walsh bench: kernels against two limits measured in the same run (measure.h).
#include <algorithm>
#include <chrono>

#include "bench_step.h"
#include "cli.h"
#include "measure.h"
#include "show.h"
#include "train/precision.h"

namespace walsh {
namespace {

// The standard shapes take at most a minute also on a slow or busy CPU: after this, one sample does.
constexpr std::chrono::seconds patience(30);

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
                    const DeviceRates& rates, bool hurry, vk::Precision operands) {
  const Speed speed = measure_speed(device, kernel, rates, hurry, operands);
  const double gb = speed.bytes_per_second * 1e-9, tflop = speed.operations_per_second * 1e-12;
  show(globals, fmt::format("{:<14} {:<34} {:<30} {:>10.3f} {:>9.2f} {:>10.2f}  {:>3.0f} % of {}", kernel.op,
                            kernel.variant, kernel.shape, speed.seconds * 1e3, gb, tflop * 1e3,
                            speed.share * 100, speed.limit));
  return {{"name", kernel.op},        {"variant", kernel.variant}, {"shape", kernel.shape},
          {"seconds", speed.seconds}, {"bytes", kernel.bytes},     {"gb_per_s", gb},
          {"tflop_per_s", tflop},     {"limit", speed.limit},      {"share_of_limit", speed.share}};
}

void bench(const Globals& globals, const std::vector<std::string>& names, const std::string& shapes,
           const std::string& precision) {
  const auto ops = chosen_ops(names);
  const auto device = open_device(globals);
  const ChosenPrecision chosen = choose_precision(device->info(), precision);
  if (!chosen.note.empty()) say(globals, chosen.note);
  const bool all = shapes == "all" || (shapes.empty() && device->info().type != vk::DeviceType::cpu);
  const DeviceRates rates = measure_rates(*device);
  for (const vk::Precision operands : {vk::Precision::fp16, vk::Precision::bf16})
    if (const double rate = rates.operations(operands); rate > 0)
      show(globals, fmt::format("{}: {} matrices {:.1f} GFLOP/s", device->info().name, vk::name_of(operands),
                                rate * 1e-9));
  show(globals, fmt::format("{}: copies {:.1f} GB/s, multiplies and adds {:.1f} GFLOP/s", device->info().name,
                            rates.bytes_per_second * 1e-9, rates.operations_per_second * 1e-9));
  show(globals, fmt::format("{:<14} {:<34} {:<30} {:>10} {:>9} {:>10}  {}", "kernel", "variant", "shape",
                            "ms", "GB/s", "GFLOP/s", "share of limit"));
  OrderedJson results = OrderedJson::array();
  const auto start = std::chrono::steady_clock::now();
  for (const auto& op : ops) {
    TensorStore store(*device);
    for (const auto& kernel : op.factory(store, all ? CaseSize::all : CaseSize::standard)) {
      const bool hurry = !all && std::chrono::steady_clock::now() - start > patience;
      results.push_back(measure(globals, *device, kernel, rates, hurry, chosen.operands));
    }
  }
  print_json(globals, {{"device", device->info().name},
                       {"driver", device->info().driver},
                       {"precision", vk::name_of(chosen.operands)},
                       {"copy_gb_per_s", rates.bytes_per_second * 1e-9},
                       {"arithmetic_tflop_per_s", rates.operations_per_second * 1e-12},
                       {"fp16_matrices_tflop_per_s", rates.fp16_matrices_per_second * 1e-12},
                       {"bf16_matrices_tflop_per_s", rates.bf16_matrices_per_second * 1e-12},
                       {"results", results}});
}

struct Arguments {
  std::vector<std::string> ops;
  std::string shapes;
  StepBench step{.methods = {"qwha"}, .batch_sizes = {1}, .lengths = {512}, .given = {}, .set = {}};
};

}  // namespace

void add_bench(CLI::App& app, Globals& globals) {
  CLI::App* command = app.add_subcommand("bench", "Times kernels against the device's limits");
  std::string names;
  for (const auto& op : registered_ops()) names += " " + op.op;
  command->footer(
      "Examples: walsh bench quant_matmul hadamard\n"
      "          walsh bench step --model models/SmolLM2-135M --method qwha,lora,frozen --batch-size 1,4\n"
      "Ops:" +
      names);
  add_globals(*command, globals);
  const auto arguments = std::make_shared<Arguments>();
  command->add_option(
      "op", arguments->ops,
      "ops to time, default all; or step: whole training steps on random weights, with the flags below");
  command
      ->add_option("--shapes", arguments->shapes,
                   "standard: one shape an op; all: those of real models; default: standard on a CPU driver, "
                   "all on a GPU")
      ->check(CLI::IsMember({"standard", "all"}));
  StepBench& step = arguments->step;
  command->add_option("--method", step.methods, "step: methods of walsh train, or frozen: the base alone")
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--batch-size", step.batch_sizes, "step: sequences a micro-step")
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--sequence-length", step.lengths, "step: tokens a sequence")
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--steps", step.steps, "step: timed steps; 0: five, fewer on a slow CPU driver");
  add_run_options(*command, step.given,
                  {"model", "bits", "group-size", "rank", "alpha", "targets", "grad-accumulation",
                   "scale-dtype", "optimizer", "precision", "checkpointing", "offload"});
  command->add_option("--set", step.set, "step: an option of a method, METHOD.KEY=VALUE")->take_all();
  command->callback([&globals, arguments] {
    if (std::ranges::find(arguments->ops, "step") == arguments->ops.end()) {
      const auto precision = arguments->step.given.find("precision");
      bench(globals, arguments->ops, arguments->shapes,
            precision == arguments->step.given.end() ? "auto" : precision->second);
    } else {
      require(arguments->ops.size() == 1, "bench: step is timed by itself, found {} names beside it",
              arguments->ops.size() - 1);
      bench_step(globals, arguments->step);
    }
  });
}

}  // namespace walsh

#include "bench_step.h"

#include <limits>

#include "measure.h"
#include "methods/registry.h"
#include "model/config.h"
#include "show.h"
#include "train/plan.h"
#include "train/precision.h"
#include "train/random_run.h"

namespace walsh {
namespace {

constexpr double patience = 30;  // seconds of a CPU driver, for one line
constexpr std::uint32_t standard_steps = 5;

// One line: a method at one shape.
struct StepCase {
  RunOptions options;
  WeightFormat format;
  bool frozen;
};

OrderedJson measure(const Globals& globals, vk::Device& device, const DeviceRates& rates,
                    const ModelConfig& config, const StepCase& c, vk::Precision operands,
                    std::uint32_t steps) {
  const auto& [o, format, frozen] = c;
  RunOptions kept = o;
  kept.checkpointing = "none";  // work that is done twice does not count twice
  const Plan useful = plan_run(config, format, kept);

  const std::uint32_t tokens = o.batch_size * o.sequence_length;
  RandomRun run(device, config, format, o, frozen, operands);
  const bool patient = steps > 0 || device.info().type != vk::DeviceType::cpu;
  const StepTimes times = run.time(steps > 0 ? steps : standard_steps,
                                   patient ? std::numeric_limits<double>::infinity() : patience);
  const Session& session = run.session();

  const double tokens_per_second = tokens * static_cast<double>(o.grad_accumulation) / times.seconds;
  const double rate = useful.step_operations / times.seconds;
  const double bytes = 2.0 * static_cast<double>(session.weights_bytes()) * o.grad_accumulation;
  const std::string method = frozen ? "frozen" : o.method;
  const std::string shape = fmt::format("{} x {} x {}{}", o.grad_accumulation, o.batch_size,
                                        o.sequence_length, o.checkpointing == "full" ? ", twice" : "");
  show(
      globals,
      fmt::format("{:<8} {:<22} {:>10.3f} {:>11.1f} {:>10.2f} {:>8.1f} % {:>10.0f} {:>8.4f} %", method, shape,
                  times.seconds, tokens_per_second, rate * 1e-9, 100 * rate / rates.operations(operands),
                  static_cast<double>(device.allocated_bytes()) / (1 << 20), 100 * times.host_share));
  return {{"name", "step"},
          {"variant", method},
          {"shape", shape},
          {"seconds", times.seconds},
          {"bytes", bytes},
          {"gb_per_s", bytes / times.seconds * 1e-9},
          {"tflop_per_s", rate * 1e-12},
          {"limit", operands == vk::Precision::fp32 ? "arithmetic" : "matrices"},
          {"share_of_limit", rate / rates.operations(operands)},
          {"tokens_per_second", tokens_per_second},
          {"memory_bytes", device.allocated_bytes()},
          {"trained_parameters", session.parameters().trained()},
          {"checkpointing", o.checkpointing},
          {"idle_share", times.host_share}};
}

}  // namespace

void bench_step(const Globals& globals, const StepBench& bench) {
  RunOptions options;
  options.bits = 4;
  for (const auto& [name, value] : bench.given) set_option(options, name, value);
  set_assignments(options, bench.set);
  options.seed = globals.seed;
  require(!options.model.empty(), "bench step: --model is missing: name a folder with a config.json");
  const ModelConfig config = read_config(options.model);
  const auto device = open_device_quietly(globals);
  std::vector<StepCase> cases;  // all of them are checked before the first is timed
  for (const std::string& method : bench.methods) {
    for (const std::uint32_t batch_size : bench.batch_sizes) {
      for (const std::uint32_t length : bench.lengths) {
        StepCase c{.options = options, .format = {.dense = DType::bf16}, .frozen = method == "frozen"};
        RunOptions& o = c.options;
        o.method = c.frozen ? "qwha" : method;
        const MethodEntry& entry = find_method(o.method);
        const BaseRule rule = entry.base;
        if (rule == BaseRule::dense) o.bits = 0;
        if (entry.defaults.rank == 0) o.rank = 0;  // a rank is for the methods that have one
        o.batch_size = batch_size;
        o.sequence_length = length;
        o = resolve(o);
        require(length <= config.context, "sequence-length: found {}, the model's context is {}", length,
                config.context);
        if (rule != BaseRule::own_grid) c.format.bits = o.bits;
        c.format.group_size = o.group_size;
        fit_to_device(*device, config, c.format, o);
        cases.push_back(std::move(c));
      }
    }
  }
  announce(globals, *device);
  const ChosenPrecision chosen = choose_precision(device->info(), options.precision);
  if (!chosen.note.empty()) say(globals, chosen.note);
  const DeviceRates rates = measure_rates(*device);
  show(globals, fmt::format("{}: multiplies and adds {:.1f} GFLOP/s; {}, {} bits, groups of {}",
                            device->info().name, rates.operations(chosen.operands) * 1e-9, options.model,
                            options.bits, options.group_size));
  show(globals,
       fmt::format("{:<8} {:<22} {:>10} {:>11} {:>10} {:>10} {:>10} {:>10}", "method", "accumulation x batch",
                   "s a step", "tokens/s", "GFLOP/s", "of limit", "MiB", "idle"));
  OrderedJson results = OrderedJson::array();
  for (const StepCase& c : cases)
    results.push_back(measure(globals, *device, rates, config, c, chosen.operands, bench.steps));
  print_json(globals, {{"device", device->info().name},
                       {"driver", device->info().driver},
                       {"precision", vk::name_of(chosen.operands)},
                       {"arithmetic_tflop_per_s", rates.operations_per_second * 1e-12},
                       {"results", results}});
}

}  // namespace walsh

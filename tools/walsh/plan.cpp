// walsh plan: memory and work of a run, before it, from a configuration alone.
#include <cstdio>

#include "cli.h"
#include "io/gptq.h"
#include "methods/registry.h"
#include "model/config.h"
#include "train/plan.h"

namespace walsh {

void add_plan(CLI::App& app, Globals& globals) {
  CLI::App* command = app.add_subcommand("plan", "memory and work of a run, from a config.json alone");
  command->footer("example: walsh plan --model models/Llama-3.1-8B --bits 4 --batch-size 1");
  add_globals(*command, globals);
  static GivenOptions given;
  static std::vector<std::string> set;
  add_run_options(
      *command, given,
      {"model", "method", "bits", "group-size", "rank", "alpha", "targets", "batch-size", "grad-accumulation",
       "sequence-length", "scale-dtype", "optimizer", "precision", "checkpointing", "offload"});
  command->add_option("--set", set, "an option of the method, METHOD.KEY=VALUE, as walsh train takes it")
      ->take_all();
  command->callback([&globals] {
    RunOptions options;
    for (const auto& [name, value] : given) set_option(options, name, value);
    set_assignments(options, set);
    require(!options.model.empty(), "--model is missing: name a folder with a config.json, or a GGUF file");
    options = resolve(options);
    const auto file = is_gguf(options.model) ? open_model(options.model) : nullptr;
    const ModelConfig config = file ? file->config() : read_config(options.model);
    const BaseRule rule = find_method(options.method).base;
    WeightFormat format{.dense = DType::bf16,
                        .bits = rule == BaseRule::own_grid ? 0 : options.bits,
                        .group_size = options.group_size};
    if (file) {
      if (file->format().bits > 0) format = file->format();
    } else if (is_quantized(options.model)) {
      const QuantizationConfig quantization = read_quantization_config(options.model);
      format.bits = quantization.bits;
      format.group_size = quantization.group_size;
    }
    require(format.bits > 0 || rule != BaseRule::quantized,
            "{}: the model is not quantised; give --bits 2, 3, 4 or 8", options.model);
    const Plan plan = plan_run(config, format, options);
    const auto line = [&](const char* what, std::uint64_t bytes) {
      say(globals, fmt::format("{:<34} {:>12.1f} MiB", what, static_cast<double>(bytes) / (1 << 20)));
    };
    line("weights", plan.weights_bytes);
    line("parameters, indices, method scratch", plan.parameters_bytes);
    line("gradients and optimizer state", plan.optimizer_bytes);
    line("activations and inputs", plan.activations_bytes);
    line("peak", plan.peak_bytes());
    if (plan.host_bytes > 0) line("weights in the host's memory", plan.host_bytes);
    say(globals, fmt::format("{} trained parameters; {:.3g} TFLOP a step in dense products",
                             plan.trained_parameters, plan.step_operations * 1e-12));
    print_json(globals, {{"weights_bytes", plan.weights_bytes},
                         {"parameters_bytes", plan.parameters_bytes},
                         {"optimizer_bytes", plan.optimizer_bytes},
                         {"activations_bytes", plan.activations_bytes},
                         {"peak_bytes", plan.peak_bytes()},
                         {"host_bytes", plan.host_bytes},
                         {"trained_parameters", plan.trained_parameters},
                         {"step_operations", plan.step_operations}});
  });
}

}  // namespace walsh

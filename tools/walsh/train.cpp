// walsh train: fine-tunes a model.
#include <csignal>
#include <cstdio>
#include <utility>

#include "base/system.h"
#include "cli.h"
#include "methods/qwha_options.h"
#include "methods/registry.h"
#include "quantize/options.h"
#include "train/trainer.h"
#include "tune.h"

namespace walsh {
namespace {

std::atomic<bool> stop_requested{false};

void on_interrupt(int) {
  stop_requested = true;
  std::signal(SIGINT, SIG_DFL);  // a second Ctrl-C ends at once
}

std::string duration(double seconds) {
  const auto s = static_cast<std::uint64_t>(seconds + 0.5);
  return s >= 3600 ? fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
                   : fmt::format("{}:{:02}", s / 60, s % 60);
}

// A line that is rewritten on a terminal; plain lines, about twenty a run, elsewhere.
class Console final : public TrainListener {
 public:
  Console(const Globals& globals, const std::unique_ptr<vk::Device>& device)
      : globals_(globals), device_(device), terminal_(system::errors_go_to_terminal()) {}
  std::uint32_t steps_done() const { return steps_done_; }
  // The first line begins the progress: nothing can be refused any more, and the device is announced.
  void say(const std::string& line) override {
    if (!std::exchange(announced_, true)) announce(globals_, *device_);
    if (open_line_) std::fprintf(stderr, "\n");
    open_line_ = false;
    walsh::say(globals_, line);
  }
  void step(const Step& s) override {
    steps_done_ = s.step;
    if (globals_.quiet) return;
    const std::string line =
        fmt::format("step {:>5}/{}  loss {:.4f}  lr {:.2e}  |g| {:.2e}  {:.0f} tokens/s  {:.0f} MiB  {} left",
                    s.step, s.steps, s.loss, s.learning_rate, s.grad_norm, s.tokens_per_second,
                    static_cast<double>(s.memory_bytes) / (1 << 20), duration(s.seconds_left));
    if (terminal_) {
      std::fprintf(stderr, "\r\033[K%s", line.c_str());
      open_line_ = s.step != s.steps;
      if (!open_line_) std::fprintf(stderr, "\n");
    } else if (s.step == 1 || s.step == s.steps || s.step % std::max(1u, s.steps / 20) == 0) {
      std::fprintf(stderr, "%s\n", line.c_str());
    }
  }

 private:
  const Globals& globals_;
  const std::unique_ptr<vk::Device>& device_;
  std::uint32_t steps_done_ = 0;
  bool announced_ = false;
  bool terminal_;
  bool open_line_ = false;
};

/// Trains. A lost device ends the run, unless `recover`: then the device is opened anew and the run goes on
/// from its last checkpoint, as long as it gets past the step where it was lost last.
TrainReport train_through_losses(const Globals& globals, std::unique_ptr<vk::Device>& device,
                                 RunOptions& options, bool resume, bool recover, Console& console) {
  for (std::uint32_t step = 0;;) {
    try {
      return train(*device, options, resume, console, stop_requested);
    } catch (const vk::DeviceLost& lost) {
      const std::uint32_t reached = console.steps_done();
      if (!recover || (step > 0 && reached <= step)) throw;
      step = std::max(reached, 1u);
      resume = std::filesystem::exists(std::filesystem::path(options.out) / "config.yaml");
      device.reset();
      device = open_device_of(globals, options);
      console.say(
          fmt::format("the device was lost after step {} and is opened anew; the run goes on from its last "
                      "checkpoint",
                      reached));
    }
  }
}

std::string defaults_table() {
  std::string table =
      "methods and their defaults:\n"
      "  method  rank  alpha  learning-rate  weight-decay  warmup  epochs\n";
  const auto or_dash = [](double value) { return value > 0 ? fmt::format("{}", value) : "-"; };
  for (const MethodEntry* method : methods()) {
    const MethodDefaults& d = method->defaults;
    table += fmt::format("  {:<6}  {:>4}  {:>5}  {:>13}  {:>12}  {:>6}  {:>6}  {}\n", method->name,
                         or_dash(d.rank), or_dash(d.alpha_per_rank * d.rank), d.learning_rate, d.weight_decay,
                         d.warmup, d.epochs, method->summary);
  }
  return table +
         "example: walsh train --model models/walsh-tiny --data models/walsh-tiny/data/task --bits 2 --rank "
         "4 --out run";
}

std::string method_settings() {
  std::string text;
  for (const MethodEntry* method : methods()) {
    if (method->settings) text += fmt::format("{}: {}; ", method->name, list_settings(method->settings()));
  }
  return text;
}

}  // namespace

void add_train(CLI::App& app, Globals& globals) {
  CLI::App* command = app.add_subcommand("train", "fine-tunes a model");
  command->footer(defaults_table());
  add_globals(*command, globals);
  static GivenOptions given;
  static std::string config, out;
  static std::vector<std::string> set;
  static bool resume = false, recover = false;
  add_run_options(*command, given);
  command->add_option("--out", out, "run folder to write")->required();
  command->add_option("--config", config, "YAML file with any of these options as keys; flags beat it");
  command
      ->add_option("--set", set,
                   "an option of a part, PART.KEY=VALUE; " + method_settings() +
                       "quantize: " + list_settings(quantize_settings({})))
      ->take_all();
  command->add_flag("--resume", resume, "continue the run in --out");
  command->add_flag(
      "--recover", recover,
      "where the device is lost, open it anew and go on from the last checkpoint (see --save-every)");
  command->callback([&globals, command] {
    RunOptions options;
    if (resume && config.empty() && std::filesystem::exists(std::filesystem::path(out) / "config.yaml")) {
      read_options(options, std::filesystem::path(out) / "config.yaml");  // a resumed run keeps its settings
    }
    if (!config.empty()) read_options(options, config);
    for (const auto& [name, value] : given) set_option(options, name, value);
    set_assignments(options, set);
    if (command->count("--seed") > 0) options.seed = globals.seed;
    options.out = out;
    require(!options.model.empty(), "--model is missing: name the model's folder");
    require(!options.data.empty(), "--data is missing: name a .jsonl or .txt file, or a folder of them");

    auto device = open_device_of(globals, options);
    std::signal(SIGINT, on_interrupt);
    Console console(globals, device);
    const TrainReport report = train_through_losses(globals, device, options, resume, recover, console);
    if (report.interrupted) {
      console.say(fmt::format("stopped after step {}, saved; continue with: walsh train --resume --out {}",
                              report.steps, options.out));
    } else {
      console.say(fmt::format("done: {} steps, loss {:.4f} -> {:.4f}, {:.0f} tokens/s; adapter in {}/adapter",
                              report.steps, report.loss_first, report.loss_last, report.tokens_per_second,
                              options.out));
    }
    OrderedJson json = {{"steps", report.steps},
                        {"loss_first", report.loss_first},
                        {"loss_last", report.loss_last},
                        {"eval_loss", nullptr},
                        {"eval_perplexity", nullptr},
                        {"tokens_per_second", report.tokens_per_second},
                        {"tokens", report.tokens},
                        {"planned_bytes", report.planned_bytes},
                        {"peak_bytes", report.peak_bytes},
                        {"trained_parameters", report.trained_parameters},
                        {"host_share", report.host_share},
                        {"interrupted", report.interrupted},
                        {"run", options.out}};
    if (report.eval_loss) {
      json["eval_loss"] = *report.eval_loss;
      json["eval_perplexity"] = std::exp(*report.eval_loss);
    }
    print_json(globals, json);
  });
}

}  // namespace walsh

#include <atomic>
#include <filesystem>

#include "api/device.h"
#include "base/error.h"
#include "train/run_folder.h"
#include "train/trainer.h"

namespace walsh {

struct Training::Impl final : TrainListener {
  std::vector<std::function<void(RunOptions&)>> given;  // in order
  std::function<void(const Training::Step&)> hear_step;
  std::function<void(const std::string&)> hear_message;
  std::atomic<bool> stop_requested{false};

  void say(const std::string& line) override {
    if (hear_message) hear_message(line);
  }
  void step(const TrainListener::Step& s) override {
    if (hear_step)
      hear_step({s.step, s.steps, s.loss, s.learning_rate, s.grad_norm, s.tokens_per_second, s.seconds_left,
                 s.memory_bytes});
  }

  Result run(vk::Device& device, const std::string& run, bool resume) {
    RunOptions options;
    if (resume && is_run(run)) read_options(options, std::filesystem::path(run) / "config.yaml");
    for (const auto& apply : given) apply(options);
    options.out = run;
    require(!options.model.empty(), "the option \"model\" is missing: set it to the model's folder");
    require(!options.data.empty(),
            "the option \"data\" is missing: set it to a .jsonl or .txt file, or a folder of them");
    stop_requested = false;
    const TrainReport report = train(device, options, resume, *this, stop_requested);
    return {.steps = report.steps,
            .loss_first = report.loss_first,
            .loss_last = report.loss_last,
            .eval_loss = report.eval_loss,
            .tokens_per_second = report.tokens_per_second,
            .peak_bytes = report.peak_bytes,
            .trained_parameters = report.trained_parameters,
            .interrupted = report.interrupted,
            .adapter = (std::filesystem::path(run) / "adapter").string()};
  }
};

Training::Training() : impl_(std::make_unique<Impl>()) {}
Training::Training(Training&&) noexcept = default;
Training& Training::operator=(Training&&) noexcept = default;
Training::~Training() = default;

Training& Training::set(const std::string& name, const std::string& value) {
  RunOptions scratch;
  set_option(scratch, name, value);  // refuses what it does not know
  impl_->given.push_back([=](RunOptions& options) { set_option(options, name, value); });
  return *this;
}

Training& Training::read(const std::string& file) {
  RunOptions scratch;
  read_options(scratch, file);
  impl_->given.push_back([=](RunOptions& options) { read_options(options, file); });
  return *this;
}

Training& Training::on_step(std::function<void(const Step&)> callback) {
  impl_->hear_step = std::move(callback);
  return *this;
}

Training& Training::on_message(std::function<void(const std::string&)> callback) {
  impl_->hear_message = std::move(callback);
  return *this;
}

Training::Result Training::start(Device& device, const std::string& run) {
  return impl_->run(device.impl_->device, run, false);
}

Training::Result Training::resume(Device& device, const std::string& run) {
  return impl_->run(device.impl_->device, run, true);
}

void Training::stop() noexcept { impl_->stop_requested = true; }

}  // namespace walsh

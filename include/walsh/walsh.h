// walsh as a library: fine-tune a quantised LLaMA-family model on any Vulkan device.
//
//   walsh::Device device;                          // the fastest real GPU
//   walsh::Training training;
//   training.set("model", "SmolLM2-135M").set("data", "task.jsonl").set("bits", "2").set("rank", "16");
//   walsh::Training::Result result = training.start(device, "run");
//   walsh::Model model(device, "SmolLM2-135M", "run");
//   std::cout << model.evaluate("valid.jsonl").perplexity << model.generate("Once");
//
// Everything throws walsh::Error or walsh::Failure (error.h). Paths are UTF-8. A Device and what was made
// with it belong to one thread at a time; only Training::stop may be called from anywhere.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "walsh/error.h"

namespace walsh {

/// A Vulkan device. It must outlive the models on it.
class Device {
 public:
  struct Info {
    std::uint32_t index = 0;
    std::string name;
    std::string driver;              // name and version, as the driver says them
    bool cpu = false;                // a CPU driver: everything works, slowly
    std::uint64_t memory_bytes = 0;  // of the largest device-local heap
  };
  /// Real GPUs before CPU drivers. May be empty.
  static std::vector<Info> list();

  /// `which`: an index, a part of a name (any case), or empty for the first of the list. `disable`:
  /// features to do without, as in `walsh --disable`, for example "fp16,coopmat".
  explicit Device(const std::string& which = {}, const std::string& disable = {});
  Device(Device&&) noexcept;
  Device& operator=(Device&&) noexcept;
  ~Device();

  Info info() const;
  std::uint64_t allocated_bytes() const;

 private:
  friend class Model;
  friend class Training;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A model on a device, to evaluate and to sample, with an adapter or without.
class Model {
 public:
  /// `folder`: Hugging Face layout, quantised in GPTQ format or not. `adapter`: the folder of a run or its
  /// adapter/, or empty; the linear layers then come from the run's base. `tokens_a_pass` sizes the passes.
  Model(Device& device, const std::string& folder, const std::string& adapter = {},
        std::uint32_t tokens_a_pass = 2048);
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  struct Score {
    double loss = 0;  // nats a predicted token
    double perplexity = 0;
    std::uint64_t tokens = 0;  // predicted
  };
  /// Over a .jsonl or .txt file, or a split of a folder of them: non-overlapping windows of
  /// `sequence_length` tokens within each document; 0: the smaller of the model's context and a pass.
  Score evaluate(const std::string& data, std::uint32_t sequence_length = 0,
                 const std::string& split = "valid");

  struct Sampling {
    std::uint32_t tokens = 128;  // at most
    float temperature = 0.8f;    // 0: always the likeliest token
    std::uint32_t top_k = 0;     // draw from the k likeliest; 0: all
    float top_p = 1.0f;          // draw from the likeliest that make up p
    std::uint64_t seed = 0;
  };
  /// The text that follows `prompt`, up to an end-of-text token.
  std::string generate(const std::string& prompt, const Sampling& sampling);
  std::string generate(const std::string& prompt);

  std::uint32_t context() const;  // tokens

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A fine-tuning run. Options have the names of the flags of `walsh train` and of the keys of its run file;
/// `walsh train --help` lists them with their defaults.
class Training {
 public:
  Training();
  Training(Training&&) noexcept;
  Training& operator=(Training&&) noexcept;
  ~Training();

  /// Options in the order in which they are given, the last one counts. A name with a dot is an option of
  /// the method: set("qwha.select", "omp"). An unknown name is refused here, values are checked together at
  /// the start.
  Training& set(const std::string& name, const std::string& value);
  /// Every option of a YAML run file.
  Training& read(const std::string& file);

  struct Step {
    std::uint32_t step = 0, steps = 0;  // counts from 1
    double loss = 0, learning_rate = 0, grad_norm = 0;
    double tokens_per_second = 0, seconds_left = 0;
    std::uint64_t memory_bytes = 0;
  };
  /// Called after every optimizer step, on the thread that trains. What it throws ends the run as it is.
  Training& on_step(std::function<void(const Step&)> callback);
  /// Called with lines for people: what was read, chosen, evaluated.
  Training& on_message(std::function<void(const std::string&)> callback);

  struct Result {
    std::uint32_t steps = 0;
    double loss_first = 0, loss_last = 0;
    std::optional<double> eval_loss;  // where there are evaluation data
    double tokens_per_second = 0;
    std::uint64_t peak_bytes = 0, trained_parameters = 0;
    bool interrupted = false;  // by stop(); resume() goes on
    std::string adapter;       // the folder of the trained adapter
  };
  /// Trains into `run`, a folder that must not exist: the quantised base (where "bits" asked for one), the
  /// adapter, checkpoints, metrics, all saved when this returns.
  Result start(Device& device, const std::string& run);
  /// Goes on from the newest checkpoint of `run`, bit for bit as if it had not stopped. Options not set here
  /// are those of the run; changed ones that would change the result are refused.
  Result resume(Device& device, const std::string& run);

  /// Ends the run that is going after its step, with a checkpoint. Safe from any thread, from the callbacks
  /// and from a signal handler.
  void stop() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace walsh

// What a run holds on the device. Built without a device it is a plan, whose sizes `walsh plan` prints;
// committed, it is what runs, and the run stays within it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "methods/method.h"
#include "model/inputs.h"
#include "model/llama.h"
#include "train/options.h"

namespace walsh {

/// The model with or without an adapter.
class Session {
 public:
  /// `tokens`: the most of a pass. `adapter`: with the options' method, otherwise the base as it is.
  Session(const ModelConfig& config, const WeightFormat& format, const RunOptions& options,
          std::uint32_t tokens, bool adapter);

  /// Allocates; with `training` also gradients and optimizer state.
  void commit(vk::Device& device, bool training);
  /// The model's weights, and over them what the method started from or read.
  void load(vk::Device& device, const WeightSource& source);

  const Llama& model() const { return *model_; }
  const ModelConfig& config() const { return model_->config(); }
  Parameters& parameters() { return parameters_; }
  const Parameters& parameters() const { return parameters_; }
  Method& method() { return *method_; }
  const Method& method() const { return *method_; }

  std::uint64_t weights_bytes() const { return weights_.bytes() + (stream_ ? stream_->device_bytes() : 0); }
  /// Of weights that stay in the host's memory.
  std::uint64_t host_bytes() const { return stream_ ? stream_->host_bytes() : 0; }
  std::uint64_t method_bytes() const {
    return method_arena_.bytes();
  }  // frozen indices, tables, scratch of the method

 private:
  vk::Arena weights_, method_arena_;
  std::optional<LayerStream> stream_;
  Parameters parameters_;
  std::unique_ptr<Method> method_;
  std::unique_ptr<Llama> model_;
};

/// How the options' training passes keep activations.
Pass training_pass(const RunOptions& options);

/// The activations and inputs of a pass over a number of tokens.
struct PassMemory {
  PassMemory(const ModelConfig& config, std::uint32_t tokens, std::uint32_t logit_rows, Pass pass);

  vk::Arena arena;
  Activations activations;
  Tensor words;   // u32 [input_words(tokens)]
  Inputs inputs;  // views of `words`
};

/// Refuses with the plan beside what there is where `device` has less than `weights + training + activations`
/// bytes free.
void require_memory(const vk::Device& device, std::uint64_t weights, std::uint64_t training,
                    std::uint64_t activations);

}  // namespace walsh

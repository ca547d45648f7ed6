#include "train/session.h"

#include <algorithm>

#include "base/error.h"
#include "methods/registry.h"
#include "model/model_files.h"

namespace walsh {

Session::Session(const ModelConfig& config, const WeightFormat& format, const RunOptions& options,
                 std::uint32_t tokens, bool adapter)
    : weights_("weights"), method_arena_("method") {
  const MethodSetup setup{.arena = method_arena_,
                          .parameters = parameters_,
                          .method = options.method,
                          .tokens = tokens,
                          .widest = std::max({config.hidden, config.intermediate, config.query_width()}),
                          .rank = options.rank,
                          .alpha = options.alpha,
                          .bits = format.bits > 0 ? format.bits : options.bits,
                          .group_size = format.bits > 0 ? format.group_size : options.group_size,
                          .symmetric = options.symmetric,
                          .scale_dtype = options.scale_dtype == "fp32" ? DType::f32 : DType::f16,
                          .targets = options.targets,
                          .model = options.model,
                          .config = [model = options.model] { return config_text(model); },
                          .set = options.set,
                          .seed = options.seed};
  if (adapter) {
    method_ = find_method(options.method).make(setup);
  } else {
    method_ = std::make_unique<FrozenMethod>(setup);
  }
  if (options.optimizer == "adamw8") parameters_.use_moments8();
  if (options.offload) stream_.emplace();
  model_ = std::make_unique<Llama>(config, format, weights_, *method_, stream_ ? &*stream_ : nullptr);
  reserve_reordered(method_arena_, model_->linears(), tokens);
}

void Session::commit(vk::Device& device, bool training) {
  weights_.commit(device);
  if (stream_) stream_->commit(device);
  method_arena_.commit(device);
  parameters_.commit(device, training);
}

void Session::load(vk::Device& device, const WeightSource& source) {
  model_->load(device, source);
  parameters_.upload(device);
  method_->upload(device);
}

Pass training_pass(const RunOptions& options) {
  return options.checkpointing == "full" ? Pass::checkpointed : Pass::training;
}

PassMemory::PassMemory(const ModelConfig& config, std::uint32_t tokens, std::uint32_t logit_rows, Pass pass)
    : arena("activations"),
      activations(arena, config, tokens, logit_rows, pass),
      words(reserve(arena, DType::u32, {input_words(tokens)})),
      inputs(view_inputs(words, tokens)) {}

void require_memory(const vk::Device& device, std::uint64_t weights, std::uint64_t training,
                    std::uint64_t activations) {
  const auto mib = [](std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
  const std::uint64_t free = device.info().memory_free_bytes;
  require(weights + training + activations <= free,
          "not enough device memory on {}: the plan is {:.0f} MiB (weights {:.0f}, adapter and optimizer "
          "{:.0f}, activations {:.0f}), {:.0f} MiB "
          "are free; use a smaller batch-size, sequence-length or model",
          device.info().name, mib(weights + training + activations), mib(weights), mib(training),
          mib(activations), mib(free));
}

}  // namespace walsh

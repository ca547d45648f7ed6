#include "train/session.h"

#include <algorithm>

#include "base/error.h"

namespace walsh {

Session::Session(const ModelConfig& config, const WeightFormat& format, const RunOptions& options,
                 std::uint32_t tokens, bool adapter, std::map<std::string, std::uint32_t> budgets)
    : weights_("weights"), method_arena_("method") {
  if (adapter) {
    method_ = std::make_unique<QwhaMethod>(
        MethodSetup{.arena = method_arena_,
                    .parameters = parameters_,
                    .tokens = tokens,
                    .widest = std::max({config.hidden, config.intermediate, config.query_width()}),
                    .rank = options.rank,
                    .targets = options.targets,
                    .set = options.set,
                    .seed = options.seed,
                    .budgets = std::move(budgets)});
  } else {
    method_ = std::make_unique<FrozenMethod>();
  }
  model_ = std::make_unique<Llama>(config, format, weights_, [&](std::vector<BaseWeight> weights) {
    return method_->make_linear(std::move(weights));
  });
  reserve_reordered(method_arena_, model_->linears(), tokens);
}

void Session::commit(vk::Device& device, bool training) {
  weights_.commit(device);
  method_arena_.commit(device);
  parameters_.commit(device, training);
  method_->upload(device);
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

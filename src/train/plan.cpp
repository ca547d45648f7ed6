#include "train/plan.h"

#include "train/session.h"
#include "train/step.h"

namespace walsh {

Plan plan_run(const ModelConfig& config, const WeightFormat& format, const RunOptions& options) {
  const std::uint32_t tokens = options.batch_size * options.sequence_length;
  const Session session(config, format, options, tokens, true);
  const PassMemory memory(config, tokens, logit_rows(config, tokens), training_pass(options));
  Plan plan{.weights_bytes = session.weights_bytes(),
            .host_bytes = session.host_bytes(),
            .parameters_bytes = session.parameters().value_bytes() + session.method_bytes(),
            .optimizer_bytes = session.parameters().state_bytes(),
            .activations_bytes =
                memory.arena.bytes() + TrainingStep::planned_bytes(tokens, options.grad_accumulation),
            .trained_parameters = session.parameters().trained()};
  double weights = static_cast<double>(config.vocabulary_size) * config.hidden;  // the head
  for (const WeightInfo& weight : list_weights(config)) {
    if (weight.kind == WeightKind::linear) weights += static_cast<double>(weight.shape[0] * weight.shape[1]);
  }
  // Forward, forward again, gradients of inputs: two operations a weight and token each.
  const double products = options.checkpointing == "full" ? 3 : 2;
  plan.step_operations = 2 * products * weights * tokens * options.grad_accumulation;
  return plan;
}

void fit_to_device(const vk::Device& device, const ModelConfig& config, const WeightFormat& format,
                   RunOptions& options) {
  Plan plan = plan_run(config, format, options);
  if (options.checkpointing == "auto") {
    options.checkpointing = plan.peak_bytes() <= device.info().memory_free_bytes ? "none" : "full";
    plan = plan_run(config, format, options);
  }
  require_memory(device, plan.weights_bytes, plan.parameters_bytes + plan.optimizer_bytes,
                 plan.activations_bytes);
}

}  // namespace walsh

// The optimizer step, recorded once and replayed:
//   prepare                        once, before the micro-steps
//   micro_step × accumulation      inputs from a ring; forward, loss, backward; gradients add up
//   update                         norm, clipping, AdamW; loss and norm to a ring that the host reads later
// With loss scaling the gradients in between are multiplied by a factor that follows their overflows.
// What varies from step to step (tokens, learning rate, bias corrections) is data in rings that the recorded
// stream advances by itself, so that the host can be a step ahead and never waits inside one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "model/inputs.h"
#include "train/session.h"
#include "vk/recorder.h"

namespace walsh {

/// The factor of loss scaling and how many steps it has stood: what a resume goes on from.
struct LossScale {
  float scale = 65536;
  float steps = 0;
};

struct StepOptions {
  std::uint32_t grad_accumulation = 1;
  float weight_decay = 0;
  float max_grad_norm = 1;
  bool profile = false;  // timestamps for times()
  /// Of the micro-step's matrix products.
  vk::Precision operands = vk::Precision::fp32;
  /// Of the random rounding of moments in 8 bits.
  std::uint64_t seed = 0;
  /// For operands in fp16, whose range gradients leave.
  std::optional<LossScale> loss_scale = {};
};

struct StepResult {
  float loss = 0;                            // mean over the step's targets, nats
  float grad_norm = 0;                       // not finite: the step changed nothing but the scale
  std::optional<LossScale> loss_scale = {};  // after the step
};

class TrainingStep {
 public:
  TrainingStep(vk::Device& device, Session& session, PassMemory& pass, const StepOptions& options);

  /// Submits optimizer step `step` (0, 1, ...) over the micro-batches, each of the pass's tokens; does not
  /// wait for it, but for the step before the last, whose ring slots it takes over.
  void submit(std::uint32_t step, std::span<const TokenBatch> micro_batches, double learning_rate);

  /// Waits for the newest submitted step and returns its numbers.
  StepResult result();

  /// Seconds the host spent in submit and result, waiting not counted.
  double host_seconds() const { return host_seconds_; }
  const vk::Recording& micro_step() const { return *micro_step_; }

  /// Times of the newest step's scopes and dispatches (of its last micro-step); needs `profile` and result().
  std::vector<vk::ScopeTime> times() const;

  /// Bytes of rings and state for a plan.
  static std::uint64_t planned_bytes(std::uint32_t tokens, std::uint32_t grad_accumulation);

  static constexpr float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f;

 private:
  std::uint32_t input_slots() const { return 2 * options_.grad_accumulation; }

  vk::Device& device_;
  const ModelConfig& config_;
  StepOptions options_;
  vk::Arena rings_, state_;
  Tensor input_ring_, step_ring_, result_ring_;  // host memory
  Tensor input_counter_, step_counter_;          // u32 [1]
  Tensor step_words_, step_;                     // learning rate and bias corrections of this step
  Tensor results_;                               // summed loss; norm and clip factor; loss scale
  std::optional<vk::Recording> prepare_, micro_step_, update_;
  std::uint64_t submitted_ = 0;  // steps
  std::uint64_t micro_steps_ = 0;
  std::vector<vk::Ticket> tickets_;     // of the last two steps
  std::vector<std::uint32_t> targets_;  // of the last two steps
  double host_seconds_ = 0;
};

}  // namespace walsh

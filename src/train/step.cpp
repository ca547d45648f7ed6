#include "train/step.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "ops/adamw.h"
#include "ops/batch.h"
#include "ops/global_norm.h"
#include "ops/loss_scale.h"

namespace walsh {
namespace {

// A result row: the parts stand an arena's alignment apart, so that each can be bound by itself.
constexpr std::uint64_t part_words = vk::Arena::alignment / 4;
constexpr std::uint64_t result_words = 3 * part_words;  // summed loss; norm and clip factor; loss scale
constexpr std::uint64_t step_words = 4;

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

template <typename T>
T* mapped(const Tensor& tensor) {
  return reinterpret_cast<T*>(tensor.memory.block->mapped + tensor.memory.offset);
}

}  // namespace

TrainingStep::TrainingStep(vk::Device& device, Session& session, PassMemory& pass, const StepOptions& options)
    : device_(device),
      config_(session.config()),
      options_(options),
      rings_("rings", vk::MemoryKind::host),
      state_("step") {
  const std::uint64_t words = pass.words.shape[0];
  input_ring_ = reserve(rings_, DType::u32, {input_slots(), words});
  step_ring_ = reserve(rings_, DType::u32, {2, step_words});
  result_ring_ = reserve(rings_, DType::f32, {2, result_words});
  input_counter_ = reserve(state_, DType::u32, {1});
  step_counter_ = reserve(state_, DType::u32, {1});
  step_words_ = reserve(state_, DType::u32, {step_words});
  step_ = {step_words_.memory, DType::f32, {step_words}};
  results_ = reserve(state_, DType::f32, {result_words});
  const Tensor loss{results_.memory.part(0, 4), DType::f32, {1}};
  const Tensor norm{results_.memory.part(part_words * 4, 8), DType::f32, {2}};
  const Tensor loss_scale{results_.memory.part(2 * part_words * 4, 8), DType::f32, {2}};
  const Tensor scaled = reserve(state_, DType::f32, {1});

  std::vector<Tensor> gradients;
  for (const Parameters::Range& range : session.parameters().ranges()) gradients.push_back(range.gradient);
  const Tensor norm_scratch =
      reserve(state_, DType::f32, {std::max<std::uint64_t>(1, global_norm_scratch(gradients))});
  rings_.commit(device);
  state_.commit(device);
  Inputs inputs = pass.inputs;
  if (options.loss_scale) {
    device.upload(loss_scale, std::vector{options.loss_scale->scale, options.loss_scale->steps});
    inputs.loss_scale = scaled;
  }

  const Llama& model = session.model();
  Activations& a = pass.activations;
  {
    vk::Recorder rec(device, options.profile);
    model.prepare(rec);
    prepare_ = rec.finish();
  }
  {
    vk::Recorder rec(device, options.profile, options.operands);
    ring_read(rec, pass.words, input_ring_, input_counter_);
    ring_advance(rec, input_counter_);
    if (options.loss_scale) loss_scale_apply(rec, scaled, pass.inputs.loss_scale, loss_scale);
    model.forward(rec, a, inputs);
    model.loss(rec, a, inputs, true);
    model.backward(rec, a, inputs);
    sum(rec, loss, a.losses, true);
    micro_step_ = rec.finish();
  }
  {
    vk::Recorder rec(device, options.profile);
    {
      const auto scope = rec.scope("update");
      ring_read(rec, step_words_, step_ring_, step_counter_);
      if (gradients.empty()) {
        rec.clear(norm);  // nothing is trained
      } else {
        // What clips is the norm without the scale.
        global_norm(rec, norm, gradients, norm_scratch, options.loss_scale ? 0 : options.max_grad_norm);
        if (options.loss_scale) loss_scale_update(rec, norm, loss_scale, {.max_norm = options.max_grad_norm});
      }
      auto key = static_cast<std::uint32_t>(options.seed * 0x9E3779B97F4A7C15u >> 32);
      for (const Parameters::Range& range : session.parameters().ranges()) {
        const AdamwOptions adamw_options{.beta1 = beta1,
                                         .beta2 = beta2,
                                         .epsilon = epsilon,
                                         .weight_decay = range.group.decay ? options.weight_decay : 0};
        if (range.largest) {
          adamw8(rec, range.value, range.gradient, {range.m, range.v, range.largest}, step_, norm,
                 adamw_options, key++, range.group.rate);
        } else {
          adamw(rec, range.value, range.gradient, range.m, range.v, step_, norm, adamw_options,
                range.group.rate);
        }
      }
      ring_write(rec, result_ring_, step_counter_, results_);
      ring_advance(rec, step_counter_);
      rec.clear(loss);
    }
    update_ = rec.finish();
  }
}

std::uint64_t TrainingStep::planned_bytes(std::uint32_t tokens, std::uint32_t grad_accumulation) {
  return std::uint64_t{2} * grad_accumulation * input_words(tokens) * 4;
}

void TrainingStep::submit(std::uint32_t step, std::span<const TokenBatch> micro_batches,
                          double learning_rate) {
  require(micro_batches.size() == options_.grad_accumulation, "a step of {} micro-batches, recorded for {}",
          micro_batches.size(), options_.grad_accumulation);
  if (tickets_.size() == 2) {
    device_.wait(tickets_.front());  // its slots are taken over now
    tickets_.erase(tickets_.begin());
    targets_.erase(targets_.begin());
  }
  const auto start = Clock::now();
  std::uint32_t targets = 0;
  for (const TokenBatch& batch : micro_batches) {
    for (const std::int32_t target : batch.targets) targets += target >= 0;
  }
  const float loss_scale = targets > 0 ? 1.0f / static_cast<float>(targets) : 0.0f;
  const std::uint64_t words = input_ring_.shape[1];
  for (const TokenBatch& batch : micro_batches) {
    const std::uint64_t slot = micro_steps_++ % input_slots();
    pack_inputs({mapped<std::uint32_t>(input_ring_) + slot * words, words}, batch, config_, loss_scale);
  }
  const double t = step + 1.0;
  const float scalars[step_words] = {static_cast<float>(learning_rate),
                                     static_cast<float>(1 - std::pow(beta1, t)),
                                     static_cast<float>(1 - std::pow(beta2, t)), static_cast<float>(t)};
  std::memcpy(mapped<float>(step_ring_) + submitted_ % 2 * step_words, scalars, sizeof scalars);

  device_.submit(*prepare_);
  for (std::uint32_t i = 0; i < options_.grad_accumulation; ++i) device_.submit(*micro_step_);
  tickets_.push_back(device_.submit(*update_));
  targets_.push_back(targets);
  // The first step runs command by command to be measured, with waits: not the host's own time.
  if (submitted_++ > 0) host_seconds_ += seconds_since(start);
}

std::vector<vk::ScopeTime> TrainingStep::times() const {
  std::vector<vk::ScopeTime> times;
  for (const auto* recording : {&prepare_, &micro_step_, &update_}) {
    const auto part = (*recording)->scope_times();
    times.insert(times.end(), part.begin(), part.end());
  }
  return times;
}

StepResult TrainingStep::result() {
  device_.wait(tickets_.back());
  const float* row = mapped<float>(result_ring_) + (submitted_ - 1) % 2 * result_words;
  const std::uint32_t targets = targets_.back();
  StepResult result{.loss = targets > 0 ? row[0] / static_cast<float>(targets) : 0.0f,
                    .grad_norm = row[part_words]};
  if (options_.loss_scale) result.loss_scale = {row[2 * part_words], row[2 * part_words + 1]};
  return result;
}

}  // namespace walsh

// The loss of a model on a data set: non-overlapping windows within each document, the mean over predicted
// tokens, in nats.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "data/batches.h"
#include "data/datasets.h"
#include "train/session.h"
#include "vk/recorder.h"

namespace walsh {

struct Evaluation {
  double loss = 0;  // nats a predicted token
  std::uint64_t tokens = 0;
  double perplexity() const;
};

struct ChoiceAccuracy {
  double accuracy = 0;       // the option with the largest log-probability is the right one
  double accuracy_norm = 0;  // the same per byte of the option
  std::uint64_t items = 0;
};

class Evaluator {
 public:
  /// `session` is committed, loaded, and made for at least batch_size · sequence_length tokens. `operands`:
  /// of matrix products.
  Evaluator(vk::Device& device, const Session& session, std::uint32_t batch_size,
            std::uint32_t sequence_length, vk::Precision operands = vk::Precision::fp32);
  /// The same in a pass's memory of batch_size · sequence_length tokens, which must outlive it; between
  /// passes of its owner.
  Evaluator(vk::Device& device, const Session& session, PassMemory& memory, std::uint32_t batch_size,
            std::uint32_t sequence_length, vk::Precision operands = vk::Precision::fp32);

  Evaluation run(const Dataset& dataset);
  ChoiceAccuracy run(const std::vector<ChoiceItem>& items);

 private:
  void record(vk::Precision operands);
  /// Nats of every token of a batch; 0 where nothing is predicted.
  std::vector<float> losses(const Batch& batch);

  vk::Device& device_;
  const Session& session_;
  std::uint32_t batch_size_, sequence_length_;
  std::unique_ptr<PassMemory> own_memory_;
  PassMemory& memory_;
  std::optional<vk::Recording> prepare_, recording_;
};

}  // namespace walsh

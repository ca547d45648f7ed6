// A model ready to evaluate or sample, with an adapter on its base or without.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "train/session.h"

namespace walsh {

class OpenedModel {
 public:
  /// `model`: a folder; `adapter`: a run, its adapter/ or one of its checkpoints, or empty. With an adapter
  /// the linear layers come from the run's base, and `model` must be the model whose weights were quantised,
  /// or that base itself; anything else is refused.
  OpenedModel(const std::string& model, const std::string& adapter,
              std::optional<std::uint64_t> random_weights);

  const WeightSource& source() const { return combined_ ? *combined_ : *model_; }
  const ModelConfig& config() const { return model_->config(); }

  /// On the device, for passes of up to `tokens` tokens.
  std::unique_ptr<Session> load(vk::Device& device, std::uint32_t tokens) const;

 private:
  std::unique_ptr<WeightSource> model_, base_, combined_;
  std::string adapter_;     // the folder of its files
  std::string checkpoint_;  // whose values it takes instead, or empty
  RunOptions options_;      // of the adapter
};

}  // namespace walsh

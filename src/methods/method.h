// A fine-tuning method: makes the model's linear layers and holds what they share.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "methods/linear.h"
#include "methods/parameters.h"
#include "vk/device.h"
#include "vk/memory.h"

namespace walsh {

/// What every method is made from. `tokens` sizes its scratch: the most tokens of a pass.
struct MethodSetup {
  vk::Arena& arena;  // frozen state and scratch
  Parameters& parameters;
  std::uint32_t tokens = 0;
  std::uint32_t widest = 0;  // the largest input or output width of a linear layer
  std::uint32_t rank = 0;
  std::string targets;                     // "q,k,v,o,gate,up,down": projections that get an adapter
  std::map<std::string, std::string> set;  // options of the method, "qwha.select" → "omp"
  std::uint64_t seed = 0;
  /// Coefficients of each adapted module where they are known (files, an initialisation that spread them);
  /// otherwise by rank and size.
  std::map<std::string, std::uint32_t> budgets = {};
};

class Method {
 public:
  virtual ~Method() = default;
  virtual std::unique_ptr<Linear> make_linear(std::vector<BaseWeight> weights) = 0;
  /// Fills constant tables, once the arena is committed.
  virtual void upload(vk::Device&) {}
};

/// No adapters.
class FrozenMethod final : public Method {
 public:
  std::unique_ptr<Linear> make_linear(std::vector<BaseWeight> weights) override {
    return std::make_unique<FrozenLinear>(std::move(weights));
  }
};

/// Whether a module ("model.layers.0.self_attn.q_proj") is among the targets ("q,v"); refuses an unknown
/// target.
bool is_target(const std::string& targets, const std::string& module);

}  // namespace walsh

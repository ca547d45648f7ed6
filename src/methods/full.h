// Full fine-tuning of an unquantised model: linear weights, biases, norms, embedding and head (once where
// they are tied) are trained, in fp32. What is saved is a model folder of its own.
//   dW = dyᵀ·x       dbias = Σ_t dy
#pragma once

#include "methods/registry.h"

namespace walsh {

extern const MethodEntry full_method;

class FullMethod final : public Method {
 public:
  using Method::Method;

  Weight reserve_weight(vk::Arena& arena, const std::string& name, DType dtype, const Shape& shape) override;
  std::unique_ptr<Linear> make_linear(std::vector<BaseWeight> weights) override;
  /// config.json, tokenizer and model.safetensors in f32: a folder that --model takes; and
  /// adapter_config.json.
  void save(const std::filesystem::path& folder, vk::Device& device) const override;
  void read(const std::filesystem::path& folder, const ReadBase& base) override;
};

}  // namespace walsh

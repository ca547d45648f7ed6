// The weights that a run's forward pass computes with, whatever the method: each linear layer applied to the
// rows of the identity. A product with 1 and sums with 0 are exact, so the answers are the weights bit for
// bit.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "train/session.h"

namespace walsh {

struct EffectiveLayer {
  std::string name;  // of the module
  std::uint32_t rows = 0, columns = 0;
  std::vector<float> weight;             // [rows, columns], without the bias
  std::optional<QuantizedMatrix> codes;  // where the weight is exactly this matrix

  std::string hash() const;  // of the weight: XXH3, 128 bits, 32 hexadecimal digits
};

/// Every linear layer in the order of the forward pass; `session` is loaded, for passes of `tokens` tokens.
void visit_layers(vk::Device& device, Session& session, std::uint32_t tokens,
                  const std::function<void(EffectiveLayer&&)>& visit);

}  // namespace walsh

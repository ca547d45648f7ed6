// Linear layers as GGUF blocks.
#pragma once

#include "io/ggml_blocks.h"
#include "train/effective.h"

namespace walsh {

/// The rows of a layer in blocks of `type`: from its codes where the type is Q4_0, Q4_1 or Q8_0, otherwise
/// from its weights, rounded. Refuses codes that the type has no room for, and a width that is not whole
/// blocks.
std::vector<std::byte> to_blocks(const EffectiveLayer& layer, GgmlType type);

/// The type that holds a layer's codes: Q4_0, or else Q4_1; Q8_0 for 8 bits.
GgmlType type_for(const EffectiveLayer& layer);

}  // namespace walsh

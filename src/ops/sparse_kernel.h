// Which form of a sparse product's kernel reads its operands best (shaders/lib/four_tokens.glsl).
#pragma once

#include <algorithm>
#include <initializer_list>

#include "ops/op.h"

namespace walsh {

/// Names of the three forms: by texels, by four words, by one.
struct SparseKernelNames {
  const char *texels, *four, *one;
};

/// Texels on CPU drivers where the tokens are a multiple of four and every operand fits a texel buffer.
inline const char* sparse_kernel(Recorder& rec, const SparseKernelNames& names, std::uint64_t tokens,
                                 std::initializer_list<const Tensor*> operands) {
  if (tokens % 4 != 0) return names.one;
  const vk::DeviceInfo& device = rec.device().info();
  const bool fit = std::all_of(operands.begin(), operands.end(), [&](const Tensor* operand) {
    return ceil_div(operand->memory.size, 16) <= device.limits.max_texels;
  });
  return device.type == vk::DeviceType::cpu && fit ? names.texels : names.four;
}

}  // namespace walsh

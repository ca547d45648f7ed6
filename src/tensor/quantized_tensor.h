// The device twin of QuantizedMatrix (tensor/quantized_matrix.h): the same words, in device memory.
#pragma once

#include <cstdint>

#include "tensor/quantized_matrix.h"
#include "tensor/tensor.h"
#include "vk/device.h"

namespace walsh {

struct QuantizedTensor {
  Tensor codes;  // u32 [rows, words_per_row(columns, bits)]
  Tensor grid;   // u32 [rows, columns / group_size]: f16 scale in the low half; integer zero or f16 offset in
                 // the high half
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  std::uint32_t bits = 0;
  std::uint32_t group_size = 0;
  bool offset = false;
};

/// Room for a quantised matrix. Refuses bits other than 2, 3, 4, 8 and a group size that does not divide the
/// columns.
QuantizedTensor reserve_quantized(vk::Arena& arena, std::uint32_t rows, std::uint32_t columns,
                                  std::uint32_t bits, std::uint32_t group_size, bool offset = false);

/// Integer zeros become offsets (with_offsets) where `to` has those.
void upload(vk::Device& device, const QuantizedTensor& to, const QuantizedMatrix& from);

}  // namespace walsh

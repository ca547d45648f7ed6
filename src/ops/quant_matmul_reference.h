// A quantised matrix as plain numbers, for the products of ops/matmul_reference.h.
#pragma once

#include <cstddef>
#include <vector>

#include "base/philox.h"
#include "ops/matmul_reference.h"
#include "tensor/quantized_matrix.h"

namespace walsh::reference {

/// W_q, each element rounded to fp32 as the kernels form it.
template <typename T>
std::vector<T> dequantize(const QuantizedMatrix& q) {
  std::vector<T> w(std::size_t{q.rows} * q.columns);
  for (std::uint32_t i = 0; i < q.rows; ++i) {
    for (std::uint32_t j = 0; j < q.columns; ++j) w[std::size_t{i} * q.columns + j] = T(q.weight(i, j));
  }
  return w;
}

/// Random codes, scales in [0.01, 0.03) and zeros over the whole range of codes, or offsets of that size.
inline QuantizedMatrix random_quantized(std::uint32_t rows, std::uint32_t columns, std::uint32_t bits,
                                        std::uint32_t group_size, std::uint64_t seed, bool offset = false) {
  Philox random(seed);
  QuantizedMatrix q;
  q.rows = rows;
  q.columns = columns;
  q.bits = bits;
  q.group_size = group_size;
  q.offset = offset;
  q.codes.resize(std::size_t{rows} * words_per_row(columns, bits));
  q.grid.resize(std::size_t{rows} * q.groups());
  for (auto& word : q.codes) word = random.next();
  for (auto& word : q.grid) {
    const std::uint16_t scale = float_to_f16(0.01f + 0.02f * random.uniform());
    word = grid_word(scale, offset ? float_to_f16(-0.02f * random.uniform() * static_cast<float>(1u << bits))
                                   : random.below(1u << bits));
  }
  return q;
}

}  // namespace walsh::reference

// The sampled product in plain loops, on any scalar type; operands as ops/sddmm.h says.
#pragma once

#include <cstddef>
#include <vector>

#include "tensor/sparse_matrix.h"

namespace walsh::reference {

template <typename T>
void sddmm(std::vector<T>& dvalues, const std::vector<T>& dyt, const std::vector<T>& xt,
           const SparseMatrix& f, double scale) {
  const std::size_t tokens = dyt.size() / f.rows;
  for (std::size_t i = 0; i < f.rows; ++i)
    for (std::size_t l = f.row_ptr[i]; l < f.row_ptr[i + 1]; ++l)
      for (std::size_t t = 0; t < tokens; ++t)
        dvalues[l] += T(scale) * dyt[i * tokens + t] * xt[f.columns_of[l] * tokens + t];
}

}  // namespace walsh::reference

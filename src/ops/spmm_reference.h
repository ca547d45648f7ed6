// Sparse products in plain loops, on any scalar type; operands as ops/spmm.h says, results += .
#pragma once

#include <cstddef>
#include <vector>

#include "tensor/sparse_matrix.h"

namespace walsh::reference {

/// y[t,i] += scale · Σ_l c[l] · xt[j_l, t]
template <typename T>
void spmm_forward(std::vector<T>& y, const std::vector<T>& xt, const std::vector<T>& values,
                  const SparseMatrix& f, double scale) {
  const std::size_t tokens = y.size() / f.rows;
  for (std::size_t i = 0; i < f.rows; ++i)
    for (std::size_t l = f.row_ptr[i]; l < f.row_ptr[i + 1]; ++l)
      for (std::size_t t = 0; t < tokens; ++t)
        y[t * f.rows + i] += T(scale) * values[l] * xt[f.columns_of[l] * tokens + t];
}

/// dx[t,j] += scale · Σ_l c[l] · dyt[i_l, t]
template <typename T>
void spmm_backward(std::vector<T>& dx, const std::vector<T>& dyt, const std::vector<T>& values,
                   const SparseMatrix& f, double scale) {
  const std::size_t tokens = dx.size() / f.columns;
  for (std::size_t i = 0; i < f.rows; ++i)
    for (std::size_t l = f.row_ptr[i]; l < f.row_ptr[i + 1]; ++l)
      for (std::size_t t = 0; t < tokens; ++t)
        dx[t * f.columns + f.columns_of[l]] += T(scale) * values[l] * dyt[i * tokens + t];
}

}  // namespace walsh::reference

// Sparse rows and dense tiles in plain loops, on any scalar type; operands as ops/sparse_rows.h says.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "tensor/sparse_matrix.h"

namespace walsh::reference {

/// w = scale · F[first ... first + w.size() / n)
template <typename T>
void densify(std::vector<T>& w, const std::vector<T>& values, const SparseMatrix& f, std::size_t first,
             double scale) {
  std::ranges::fill(w, T(0));
  for (std::size_t i = first; (i - first) * f.columns < w.size(); ++i)
    for (std::size_t l = f.row_ptr[i]; l < f.row_ptr[i + 1]; ++l)
      w[(i - first) * f.columns + f.columns_of[l]] = T(scale) * values[l];
}

/// dvalues[l] += scale · g[i_l − first, j_l]
template <typename T>
void sample(std::vector<T>& dvalues, const std::vector<T>& g, const SparseMatrix& f, std::size_t first,
            double scale) {
  for (std::size_t i = first; (i - first) * f.columns < g.size(); ++i)
    for (std::size_t l = f.row_ptr[i]; l < f.row_ptr[i + 1]; ++l)
      dvalues[l] += T(scale) * g[(i - first) * f.columns + f.columns_of[l]];
}

}  // namespace walsh::reference

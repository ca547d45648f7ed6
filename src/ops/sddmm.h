// The sampled product: the gradient of a sparse matrix's values (ops/spmm.h), without a dense [m, n]
// gradient.
//   dvalues[l] += scale · Σ_t dy[t, i_l] · x[t, j_l]
// Both operands come transposed, so that a coefficient is the dot product of two contiguous rows.
#pragma once

#include "ops/op.h"
#include "tensor/sparse_matrix.h"

namespace walsh {

/// dvalues: f32 [nonzeros] in row order; dyt: f32 [m, T]; xt: f32 [n, T].
void sddmm(Recorder& rec, const Tensor& dvalues, const Tensor& dyt, const Tensor& xt, const SparseTensor& f,
           float scale);

}  // namespace walsh

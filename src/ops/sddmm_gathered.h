// The sampled product (ops/sddmm.h) on dense tiles: of every 16 rows of F the union of their columns is
// gathered, multiplied as a matrix, and the coefficients' entries kept. Where rows share their columns
// nothing is computed that is not kept, and a row of xᵀ is read once for 16 rows.
//   dvalues[l] += scale · Σ_t dy[t, i_l] · x[t, j_l]
#pragma once

#include "ops/op.h"
#include "tensor/sparse_matrix.h"

namespace walsh {

/// dvalues: f32 [nonzeros] in row order; dyt: f32 [m, T]; xt: f32 [n, T].
void sddmm_gathered(Recorder& rec, const Tensor& dvalues, const Tensor& dyt, const Tensor& xt,
                    const SparseTensor& f, const SparseBlocks& blocks, float scale);

}  // namespace walsh

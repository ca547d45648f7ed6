// The sampled product: the gradient of a sparse matrix's values (ops/spmm.h), without a dense [m, n]
// gradient.
//   dvalues[l] += scale · Σ_t dy[t, i_l] · x[t, j_l]
// Both operands come transposed, so that a coefficient is the dot product of two contiguous rows.
#pragma once

#include "ops/spmm.h"

namespace walsh {

/// For every part, whose values are the gradients f32 [nonzeros] in row order and whose outputs dyᵀ f32
/// [m, T]; xt: f32 [n, T]. One dispatch where their memory and the device allow.
void sddmm(Recorder& rec, std::span<const SparsePart> parts, const Tensor& xt);

/// The same with one part.
void sddmm(Recorder& rec, const Tensor& dvalues, const Tensor& dyt, const Tensor& xt, const SparseTensor& f,
           float scale);

}  // namespace walsh

// Products of activations with a sparse matrix F [m, n] (tensor/sparse_matrix.h), its values one flat tensor:
//   forward   y (+)= scale · x·Fᵀ
//   backward  dx (+)= scale · dy·F
// The dense operand comes transposed ([n, T], [m, T]; ops/transpose.h): a coefficient then multiplies a run
// of contiguous words. The result is in the ordinary layout. Sums run in the order of the indices.
#pragma once

#include "ops/op.h"
#include "tensor/sparse_matrix.h"

namespace walsh {

/// y: f32 [T, m]; xt: f32 [n, T]; values: f32 [nonzeros] in row order.
void spmm_forward(Recorder& rec, const Tensor& y, const Tensor& xt, const Tensor& values,
                  const SparseTensor& f, float scale, bool accumulate);

/// dx: f32 [T, n]; dyt: f32 [m, T].
void spmm_backward(Recorder& rec, const Tensor& dx, const Tensor& dyt, const Tensor& values,
                   const SparseTensor& f, float scale, bool accumulate);

}  // namespace walsh

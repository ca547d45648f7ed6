// Products of activations with a sparse matrix F [m, n] (tensor/sparse_matrix.h), its values one flat tensor:
//   forward   y (+)= scale · x·Fᵀ
//   backward  dx (+)= scale · dy·F
// The dense operand comes transposed ([n, T], [m, T]; ops/transpose.h): a coefficient then multiplies a run
// of contiguous words. The result is in the ordinary layout. Sums run in the order of the indices.
#pragma once

#include <span>

#include "ops/op.h"
#include "tensor/sparse_matrix.h"

namespace walsh {

/// One of several sparse matrices with as many columns.
struct SparsePart {
  Tensor outputs;  // y f32 [T, m], or dyᵀ f32 [m, T]
  Tensor values;   // f32 [nonzeros] in row order
  SparseTensor f;
  float scale;
};

/// y_i (+)= scale_i · x·F_iᵀ for every part; xt: f32 [n, T]. One dispatch where their memory and the device
/// allow.
void spmm_forward(Recorder& rec, std::span<const SparsePart> parts, const Tensor& xt, bool accumulate);

/// dx (+)= Σ_i scale_i · dy_i·F_i. dx: f32 [T, n].
void spmm_backward(Recorder& rec, const Tensor& dx, std::span<const SparsePart> parts, bool accumulate);

/// The same with one part.
void spmm_forward(Recorder& rec, const Tensor& y, const Tensor& xt, const Tensor& values,
                  const SparseTensor& f, float scale, bool accumulate);
void spmm_backward(Recorder& rec, const Tensor& dx, const Tensor& dyt, const Tensor& values,
                   const SparseTensor& f, float scale, bool accumulate);

}  // namespace walsh

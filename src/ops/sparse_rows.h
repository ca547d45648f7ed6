// Between a sparse matrix F [m, n] (ops/spmm.h) and dense tiles of its rows: how a weight gets F added before
// its product, and how F's gradient is taken from a dense one. A tile holds rows first ... first + R.
#pragma once

#include "ops/op.h"
#include "tensor/sparse_matrix.h"

namespace walsh {

/// w = scale · F[first ... first + R), f32 [R, n], zeros included; values: f32 [nonzeros] in row order.
void densify(Recorder& rec, const Tensor& w, const Tensor& values, const SparseTensor& f, std::uint64_t first,
             float scale);

/// dvalues[l] += scale · g[i_l − first, j_l] for the coefficients of those rows. g: f32 [R, n].
void sample(Recorder& rec, const Tensor& dvalues, const Tensor& g, const SparseTensor& f, std::uint64_t first,
            float scale);

}  // namespace walsh

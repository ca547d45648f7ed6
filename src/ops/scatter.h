// Rows to the places that an index names: y[index[r]] = x[r]. Fills a cache of keys and values.
#pragma once

#include "ops/op.h"

namespace walsh {

/// y: f32 [S, ...], x: f32 [R, ...] with rows of the same width, index: u32 [R] without repeats. Indices >= S
/// are left out.
void scatter_rows(Recorder& rec, const Tensor& y, const Tensor& x, const Tensor& index);

}  // namespace walsh

// y[t,j] = x[t, order[j]]: the columns of x in another order. The inverse order takes a gradient back.
#pragma once

#include "ops/op.h"

namespace walsh {

/// y = x's columns in `order` (u32 [n], each column once), or y += them. x, y: f32 [..., n].
void gather_columns(Recorder& rec, const Tensor& y, const Tensor& x, const Tensor& order,
                    bool accumulate = false);

}  // namespace walsh

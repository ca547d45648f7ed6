// Token embedding: y[t] = w[ids[t]], and the gradient of the table. A table larger than one binding of the
// device is served in parts of whole rows.
#pragma once

#include "ops/op.h"

namespace walsh {

/// y: f32 [T, C]; ids: u32 [T]; w: f32, f16 or bf16 [V, C]. An id beyond V gives zeros.
void embedding_forward(Recorder& rec, const Tensor& y, const Tensor& ids, const Tensor& w);

/// dw[ids[t]] += dy[t], in the order of the tokens. dw: f32 [V, C]; dy: f32 [T, C]. An id beyond V is left
/// out.
void embedding_backward(Recorder& rec, const Tensor& dw, const Tensor& dy, const Tensor& ids);

}  // namespace walsh

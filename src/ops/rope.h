// Rotary position embedding (Su et al., 2021, arXiv 2104.09864) on halves of the head, as Hugging Face lays
// it out: the pairs are (d, d + D/2), pair d of token t is turned by positions[t] · inverse_frequencies[d].
// In place.
//   x: f32 [T, H, D]; positions: u32 [T]; inverse_frequencies: f32 [D/2], from the host, so that scaling
//   (Llama 3) is data.
// Angles are exact to fp32 for positions below 2^24 and angles up to 2^17.
#pragma once

#include <span>

#include "ops/op.h"

namespace walsh {

/// Of several x, queries and keys, whose heads are as wide; one dispatch where their memory allows.
void rope_forward(Recorder& rec, std::span<const Tensor> x, const Tensor& positions,
                  const Tensor& inverse_frequencies);

/// The inverse rotation: turns the gradient of the result into the gradient of x, in place.
void rope_backward(Recorder& rec, std::span<const Tensor> dx, const Tensor& positions,
                   const Tensor& inverse_frequencies);

}  // namespace walsh

// PEQA's trained scales (Kim et al., arXiv 2305.14152): W = s ⊙ (q − z), codes q and zeros z frozen.
//   forward  y = x·Wᵀ is quant_matmul on the grid that peqa_grid writes
//   ds[i,k] = Σ_{j in group k} G[i,j]·(q[i,j] − z[i,k]),   G = dyᵀx, never held as a whole:
//     per channel  ds[i] = Σ_t dy[t,i]·u[t,i],  u = x·(q − z)ᵀ, the output at scale 1
//     per group    G in tiles of rows
#pragma once

#include "ops/op.h"
#include "tensor/quantized_tensor.h"

namespace walsh {

/// Writes the scales into w's grid, rounded to fp16, to nearest and even, and so the offsets, where they are
/// given and w has them; zeros stay. scale, offset: f32 [rows, groups].
void peqa_grid(Recorder& rec, const QuantizedTensor& w, const Tensor& scale, const Tensor& offset = {});

/// ds[i] += Σ_t dy[t,i]·u[t,i]. ds: f32 [m, 1]; dy, u: f32 [T, m].
void peqa_scale_channel(Recorder& rec, const Tensor& ds, const Tensor& dy, const Tensor& u);

/// ds[first + r, k] += Σ_{j in group k} g[r,j]·(q[first + r, j] − z[first + r, k]) for the rows r of g, f32
/// [R, n]; with float offsets z = 0, and doffset[first + r, k] += Σ g[r,j] unless it is empty. ds, doffset:
/// f32 [m, groups].
void peqa_scale_group(Recorder& rec, const Tensor& ds, const Tensor& doffset, const Tensor& g,
                      const QuantizedTensor& w, std::uint32_t first);

}  // namespace walsh

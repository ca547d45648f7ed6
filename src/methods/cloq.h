// CLoQ's start of a low-rank adapter (arXiv 2501.18475): the product B·A of rank r that takes back most of
// what quantisation did to a layer's output,
//   minimise ‖(ΔW − B·A)·X‖²,  ΔW = W − W_q,  G = XᵀX over the calibration tokens.
// ΔW·G^{1/2} = U·Σ·Vᵀ gives B·A = U_r·Σ_r·V_rᵀ·G^{-1/2}. Since U_r·Σ_r·V_rᵀ = U_r·U_rᵀ·ΔW·G^{1/2}, that is
//   B·A = U_r·U_rᵀ·ΔW,  U_r the leading eigenvectors of ΔW·G·ΔWᵀ,
// without a root or an inverse of G, which may be singular.
#pragma once

#include <cstdint>
#include <vector>

#include "methods/method.h"

namespace walsh {

struct CloqStart {
  std::vector<float> a;             // A [r, n]
  std::vector<float> b_transposed;  // Bᵀ [r, m]; a row of A and one of Bᵀ have the same norm
  double error_before = 0;          // ‖ΔW·X‖²
  double error = 0;                 // ‖(ΔW − B·A)·X‖²
};

/// `p` has a quantised base, the original weight and the Gram matrix. A rank beyond the matrix's is zeros.
CloqStart cloq(const ProjectionStart& p, std::uint32_t rank);

}  // namespace walsh

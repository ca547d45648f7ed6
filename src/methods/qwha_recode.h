// Codes of a quantised weight found together with an adapter's values. Rounding chose them as if nothing came
// after; with QWHA's places S_i of a row given, and its values the least squares for whatever the codes are,
// the row's error is
//   e·G_i·eᵀ,  e = w_i − ŵ_i,  G_i = G − V_iᵀ·V_i,  V_i = L⁻¹·(G·B)[:,S]ᵀ,  L·Lᵀ = Ĝ[S,S],  B = H_r/n
// (variable projection, Golub and Pereyra 1973): what the adapter can take back costs nothing. Coordinate
// descent on that chooses each code in turn, grids fixed.
#pragma once

#include <span>

#include "methods/qwha_init.h"
#include "tensor/quantized_matrix.h"

namespace walsh {

/// Chooses codes of `base` anew, `sweeps` times each. `spectra` is of W − W_q as it stands, `gram` the
/// undamped G that it was made from, `options` likewise; of `places` the values are not read. No row's least
/// error on its places grows. For k places in a row about k²·n multiply-adds a row, n² and k·n in every
/// sweep, and 128·k for a code that changes.
void qwha_recode(QuantizedMatrix& base, const QwhaSpectra& spectra, std::span<const double> gram,
                 const QwhaCoefficients& places, const QwhaOptions& options, std::uint32_t sweeps);

}  // namespace walsh

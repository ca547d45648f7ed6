// QWHA's start (arXiv 2509.17428, section 4; on the Gram matrix instead of its root, the result is the same):
// a sparse F [m,n] whose ΔW = κ·F·H_rᵀ takes back as much as it can of what quantisation did to a layer's
// output,
//   minimise ‖(ΔW_Q − κ·F·H_rᵀ)·X‖²,  ΔW_Q = W − W_q,  G = X·Xᵀ [n,n] over the calibration tokens, damped.
// With c in units of H_rᵀ/n every row is a problem of its own in the spectral domain:
//   D = ΔW_Q·H_r    Ĝ = H_rᵀ·G·H_r/n²    T = ΔW_Q·G·H_r/n    e0_i = ΔW_i·G·ΔW_iᵀ
//   error_i(c) = e0_i − 2·T[i,S]·c + c·Ĝ[S,S]·cᵀ,  least at c = Ĝ[S,S]⁻¹·T[i,S]
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "methods/adaalloc.h"
#include "methods/qwha_options.h"

namespace walsh {

/// F in rows of ascending columns; the values in stored units, see qwha_stored_over_raw.
struct QwhaCoefficients {
  std::uint32_t rows = 0;              // m, outputs
  std::uint32_t columns = 0;           // n, inputs; columns of F are spectral
  std::vector<std::uint32_t> row_ptr;  // [m + 1]
  std::vector<std::uint16_t> col;      // [p]
  std::vector<float> values;           // [p]
};

/// Coefficients of a layer: options.density · rows · columns where that is set, else rank · (rows + columns).
std::uint32_t qwha_coefficients(const QwhaOptions& options, std::uint32_t rank, std::uint32_t rows,
                                std::uint32_t columns);

struct QwhaStart {
  QwhaCoefficients coefficients;
  std::vector<double> row_error_before;  // e0 [m]
  std::vector<double> row_error;         // error_i(c) [m]

  double error_before() const;
  double error() const;
};

/// The rows' problems in the spectral domain, row-major.
struct QwhaSpectra {
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  std::vector<double> spectrum;     // D [m,n]
  std::vector<double> gram;         // Ĝ [n,n]
  std::vector<double> target;       // T [m,n]
  std::vector<double> weight_norm;  // ‖ΔW_i‖ [m]
  std::vector<double> error;        // e0 [m]
};

/// Without `hadamard` everything is in place of its transform: D = ΔW_Q, Ĝ = G, T = ΔW_Q·G.
/// ΔW_Q [rows, columns] and the undamped, symmetric G [columns, columns]; refuses what is not finite and a
/// width that has no Hadamard matrix. `Weight` and `Gram` are float or double.
template <typename Weight, typename Gram>
QwhaSpectra qwha_spectra(std::span<const Weight> delta, std::span<const Gram> gram, std::uint32_t rows,
                         std::uint32_t columns, double damping, bool hadamard = true);

/// Each row's share of `budget` coefficients (a budget beyond rows · columns is cut to that).
std::vector<std::uint32_t> qwha_shares(const QwhaSpectra& spectra, std::uint64_t budget,
                                       const QwhaOptions& options);

/// Supports and values for given shares. The result does not depend on the number of threads.
QwhaStart qwha_fit(const QwhaSpectra& spectra, std::span<const std::uint32_t> shares,
                   const QwhaOptions& options);

/// All of it for one layer.
template <typename Weight, typename Gram>
QwhaStart qwha_init(std::span<const Weight> delta, std::span<const Gram> gram, std::uint32_t rows,
                    std::uint32_t columns, std::uint64_t budget, const QwhaOptions& options) {
  const QwhaSpectra spectra = qwha_spectra(delta, gram, rows, columns, options.damping, options.hadamard);
  return qwha_fit(spectra, qwha_shares(spectra, budget, options), options);
}

}  // namespace walsh
